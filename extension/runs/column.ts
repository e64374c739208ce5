/** What one tag says over the steps: rows that grow, from which panels get views that keep showing what they showed. */
import { lowerBound } from "./downsample";
import { StepOrder } from "./stepOrder";

/** Numbers of a first array: most tags have few. */
const FIRST = 4;
/** Rows that were replaced or dropped are kept until they are as many as the others, and this many. */
const GARBAGE = 1024;

/** What rows hold, in the order in which they came. */
export interface Values<T> {
  readonly length: number;
  get(i: number): T;
  push(value: T): void;
  truncate(length: number): void;
  /** Keeps these rows, in this order. */
  take(rows: Uint32Array): void;
}

export class Numbers implements Values<number> {
  length = 0;
  private data = new Float64Array(FIRST);
  /** How many somebody has a view of. */
  private shown = 0;

  get(i: number): number {
    return this.data[i]!;
  }

  push(value: number): void {
    if (this.length === this.data.length) this.move(2 * this.length);
    else if (this.length < this.shown) this.move(this.data.length);
    this.data[this.length++] = value;
  }

  truncate(length: number): void {
    this.length = length;
  }

  take(rows: Uint32Array): void {
    const taken = new Float64Array(Math.max(FIRST, rows.length));
    for (let i = 0; i < rows.length; i++) taken[i] = this.data[rows[i]!]!;
    this.data = taken;
    this.length = rows.length;
    this.shown = 0;
  }

  /** Does not change any more, whatever is added or dropped. */
  view(from = 0): Float64Array {
    this.shown = Math.max(this.shown, this.length);
    return this.peek().subarray(from);
  }

  /** For a look only. */
  peek(): Float64Array {
    return this.data.subarray(0, this.length);
  }

  private move(capacity: number): void {
    const moved = new Float64Array(capacity);
    moved.set(this.peek());
    this.data = moved;
    this.shown = 0;
  }
}

export class Objects<T> implements Values<T> {
  private data: T[] = [];

  get length(): number {
    return this.data.length;
  }

  get(i: number): T {
    return this.data[i]!;
  }

  push(value: T): void {
    this.data.push(value);
  }

  truncate(length: number): void {
    this.data.length = length;
  }

  take(rows: Uint32Array): void {
    const taken: T[] = [];
    for (const row of rows) taken.push(this.data[row]!);
    this.data = taken;
  }
}

/**
 * Rows in ascending order of step. While they come in that order they are only appended. Where one comes late, an order is kept
 * beside them until somebody looks: any order of steps costs n log n.
 */
export class Column<T, V extends Values<T>> {
  /** Counts how often rows that a panel may have seen were changed. */
  generation = 0;
  readonly steps = new Numbers();
  readonly times = new Numbers();
  private order: StepOrder | undefined;
  /** The latest file that wrote this tag, and from which step on it has the say. */
  private file = 0;
  private from = -Infinity;

  constructor(readonly values: V) {}

  get length(): number {
    return this.steps.length;
  }

  add(file: number, step: number, time: number, value: T): void {
    if (file < this.file && step >= this.from) return;
    if (file > this.file) {
      this.file = file;
      this.from = step;
      this.truncate(step);
    }
    const rows = this.length;
    if (!this.order && rows > 0 && step <= this.steps.get(rows - 1)) this.order = new StepOrder(this.steps.peek());
    this.order?.put(step, rows);
    this.steps.push(step);
    this.times.push(time);
    this.values.push(value);
    if (this.order && this.length > 2 * this.order.length + GARBAGE) this.settle();
  }

  /** Drops rows at `step` and later. */
  truncate(step: number): void {
    if (this.order) {
      this.order.truncate(step);
      return;
    }
    const keep = lowerBound(this.steps.peek(), step);
    if (keep === this.length) return;
    for (const each of [this.steps, this.times, this.values]) each.truncate(keep);
    this.generation++;
  }

  /** To be called before its rows are looked at: puts them in order. */
  settle(): void {
    if (!this.order) return;
    const rows = this.order.rows();
    for (const each of [this.steps, this.times, this.values]) each.take(rows);
    this.order = undefined;
    this.generation++;
  }
}
