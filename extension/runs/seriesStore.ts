/** What a run's event files say, by tag: columns that grow, from which panels get views. */
import type { Histogram, Series } from "../protocol/series";
import type { HistogramValue, LogValue } from "../protocol/tfevents";
import { atOrBefore } from "./compare";
import { lowerBound } from "./downsample";

/** Where a panel is in a series; opaque. */
export interface Cursor {
  generation: number;
  length: number;
}

/** What came to a series since a cursor. `reset`: drop what was drawn, `added` is everything. */
export interface Increment {
  added: Series;
  reset: boolean;
  cursor: Cursor;
}

/**
 * Rows in ascending order of step. Rows only ever get appended to the arrays; where rows go or move, the arrays are
 * made anew, so that a view handed out before keeps showing what it showed.
 */
class Column<T> {
  length = 0;
  /** Counts how often rows that a panel may have seen were changed. */
  generation = 0;
  steps: Float64Array = new Float64Array(64);
  times: Float64Array = new Float64Array(64);
  /** The latest file that wrote this tag, and from which step on it has the say. */
  private file = 0;
  private from = -Infinity;

  constructor(public values: Values<T>) {}

  add(file: number, step: number, time: number, value: T): void {
    if (file < this.file && step >= this.from) return;
    if (file > this.file) {
      this.file = file;
      this.from = step;
      this.truncate(step);
    }
    const at = lowerBound(this.steps.subarray(0, this.length), step);
    if (at < this.length) this.insert(at, this.steps[at] === step ? 1 : 0, step, time, value);
    else this.append(step, time, value);
  }

  /** Drops rows at `step` and later. */
  truncate(step: number): void {
    const keep = lowerBound(this.steps.subarray(0, this.length), step);
    if (keep === this.length) return;
    this.copy(Math.max(64, keep), keep);
    this.length = keep;
    this.generation++;
  }

  private append(step: number, time: number, value: T): void {
    if (this.length === this.steps.length) this.copy(this.length * 2, this.length);
    this.steps[this.length] = step;
    this.times[this.length] = time;
    this.values.set(this.length, value);
    this.length++;
  }

  /** A writer that goes back within one file: rare, so the cost of moving rows does not matter. */
  private insert(at: number, replaced: number, step: number, time: number, value: T): void {
    const later = Array.from({ length: this.length - at - replaced }, (_, i) => at + replaced + i).map(
      (i) => [this.steps[i]!, this.times[i]!, this.values.get(i)] as const,
    );
    this.copy(this.steps.length, at);
    this.length = at;
    this.generation++;
    this.append(step, time, value);
    for (const row of later) this.append(...row);
  }

  private copy(capacity: number, rows: number): void {
    const grow = (from: Float64Array): Float64Array => {
      const to = new Float64Array(capacity);
      to.set(from.subarray(0, rows));
      return to;
    };
    this.steps = grow(this.steps);
    this.times = grow(this.times);
    this.values.copy(capacity, rows);
  }
}

interface Values<T> {
  get(i: number): T;
  set(i: number, value: T): void;
  copy(capacity: number, rows: number): void;
}

class Numbers implements Values<number> {
  data = new Float64Array(64);
  get = (i: number): number => this.data[i]!;
  set(i: number, value: number): void {
    this.data[i] = value;
  }
  copy(capacity: number, rows: number): void {
    const to = new Float64Array(capacity);
    to.set(this.data.subarray(0, rows));
    this.data = to;
  }
}

class Objects<T> implements Values<T> {
  private data: T[] = [];
  get = (i: number): T => this.data[i]!;
  set(i: number, value: T): void {
    this.data[i] = value;
  }
  copy(_capacity: number, rows: number): void {
    this.data = this.data.slice(0, rows);
  }
}

export type Kind = LogValue["shape"];

export class SeriesStore {
  private readonly scalars = new Map<string, Column<number>>();
  private readonly histograms = new Map<string, Column<HistogramValue>>();
  private readonly vectors = new Map<string, Column<Float64Array>>();
  /** Seconds since the epoch, of the first and the last value added. */
  firstTime: number | null = null;
  lastTime: number | null = null;
  lastStep = 0;

  /** `file`: the event files' order; a later one wins where steps overlap. */
  add(file: number, step: number, time: number, value: LogValue): void {
    this.firstTime ??= time;
    this.lastTime = time;
    this.lastStep = Math.max(this.lastStep, step);
    if (value.shape === "scalar") {
      column(this.scalars, value.tag, () => new Column(new Numbers())).add(file, step, time, value.value);
    } else if (value.shape === "histogram") {
      const rows = column(this.histograms, value.tag, () => new Column(new Objects<HistogramValue>()));
      rows.add(file, step, time, shareEdges(value.value, rows));
    } else {
      column(this.vectors, value.tag, () => new Column(new Objects<Float64Array>())).add(file, step, time, value.value);
    }
  }

  /** A writer restarted at `step`: what was written there or later is superseded. */
  supersede(step: number): void {
    for (const rows of [...this.scalars.values(), ...this.histograms.values(), ...this.vectors.values()]) rows.truncate(step);
    this.lastStep = Math.min(this.lastStep, Math.max(0, step - 1));
  }

  tags(kind: Kind | undefined): string[] {
    const of: Record<Kind, Map<string, unknown>> = { scalar: this.scalars, histogram: this.histograms, vector: this.vectors };
    const maps = kind ? [of[kind]] : Object.values(of);
    return maps.flatMap((map) => [...map.keys()]).sort();
  }

  series(tag: string, from = 0): Series | undefined {
    const rows = this.scalars.get(tag);
    if (!rows) return undefined;
    return {
      steps: rows.steps.subarray(from, rows.length),
      values: (rows.values as Numbers).data.subarray(from, rows.length),
      times: rows.times.subarray(from, rows.length),
    };
  }

  points(tag: string, cursor: Cursor | undefined): Increment | undefined {
    const rows = this.scalars.get(tag);
    if (!rows) return undefined;
    const reset = cursor?.generation !== rows.generation;
    const added = this.series(tag, reset ? 0 : cursor.length)!;
    return { added, reset, cursor: { generation: rows.generation, length: rows.length } };
  }

  /** Of a histogram or vector tag. */
  steps(tag: string): Float64Array {
    const rows = this.histograms.get(tag) ?? this.vectors.get(tag);
    return rows ? rows.steps.subarray(0, rows.length) : new Float64Array();
  }

  histogram(tag: string, step: number): Histogram | undefined {
    const found = nearest(this.histograms.get(tag), step);
    return found && { step: found.step, ...found.value };
  }

  vector(tag: string, step: number): { step: number; values: Float64Array } | undefined {
    const found = nearest(this.vectors.get(tag), step);
    return found && { step: found.step, values: found.value };
  }
}

function column<T>(columns: Map<string, Column<T>>, tag: string, make: () => Column<T>): Column<T> {
  let found = columns.get(tag);
  if (!found) columns.set(tag, (found = make()));
  return found;
}

function nearest<T>(rows: Column<T> | undefined, step: number): { step: number; value: T } | undefined {
  if (!rows) return undefined;
  const index = atOrBefore(rows.steps.subarray(0, rows.length), step);
  return index === undefined ? undefined : { step: rows.steps[index]!, value: rows.values.get(index) };
}

/** A tag's histograms mostly have the same edges: kept once, half the memory. */
function shareEdges(value: HistogramValue, rows: Column<HistogramValue>): HistogramValue {
  const before = rows.length > 0 ? rows.values.get(rows.length - 1).edges : undefined;
  if (before?.length !== value.edges.length || !before.every((edge, i) => edge === value.edges[i])) return value;
  return { ...value, edges: before };
}
