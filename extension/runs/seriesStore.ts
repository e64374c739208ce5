/** What a run's event files say, by tag: columns that grow, from which panels get views. */
import type { Histogram, Series } from "../protocol/series";
import type { HistogramValue, LogValue } from "../protocol/tfevents";
import { Column, Numbers, Objects, type Values } from "./column";
import { atOrBefore } from "./compare";
import { Cuts } from "./cuts";

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

export type Kind = LogValue["shape"];

/** Fifty blocks of six matrices measured at every tap by every diagnostic have 22,000; each tag takes a kilobyte. */
const MOST_TAGS = 30_000;

/** Columns of one kind, by tag. */
class Columns<T, V extends Values<T>> {
  private readonly columns = new Map<string, { rows: Column<T, V>; cuts: number }>();
  private sorted: string[] = [];

  constructor(
    private readonly cuts: Cuts,
    private readonly make: () => V,
  ) {}

  get size(): number {
    return this.columns.size;
  }

  /** Sorted. Asked for often, and changed seldom. */
  get tags(): readonly string[] {
    if (this.sorted.length !== this.columns.size) this.sorted = [...this.columns.keys()].sort();
    return this.sorted;
  }

  /** To add to; undefined where there is none and none is to be made. */
  open(tag: string, make: boolean): Column<T, V> | undefined {
    let found = this.columns.get(tag);
    if (!found) {
      if (!make) return undefined;
      found = { rows: new Column(this.make()), cuts: this.cuts.count };
      this.columns.set(tag, found);
    }
    const cut = found.cuts < this.cuts.count ? this.cuts.since(found.cuts) : undefined;
    found.cuts = this.cuts.count;
    if (cut !== undefined) found.rows.truncate(cut);
    return found.rows;
  }

  /** To look at, in order. */
  look(tag: string): Column<T, V> | undefined {
    const rows = this.open(tag, false);
    rows?.settle();
    return rows;
  }

  /** The row nearest to a step, at or before it. */
  nearest(tag: string, step: number): { step: number; value: T } | undefined {
    const rows = this.look(tag);
    const index = rows && atOrBefore(rows.steps.peek(), step);
    return index === undefined ? undefined : { step: rows!.steps.get(index), value: rows!.values.get(index) };
  }
}

export class SeriesStore {
  private readonly cuts = new Cuts();
  private readonly scalars = new Columns<number, Numbers>(this.cuts, () => new Numbers());
  private readonly histograms = new Columns<HistogramValue, Objects<HistogramValue>>(this.cuts, () => new Objects());
  private readonly vectors = new Columns<Float64Array, Objects<Float64Array>>(this.cuts, () => new Objects());
  /** Seconds since the epoch, of the first and the last value added. */
  firstTime: number | null = null;
  lastTime: number | null = null;
  lastStep = 0;

  /** `wanted`: the only tags that are kept; undefined for all. */
  constructor(private readonly wanted?: ReadonlySet<string>) {}

  /** `file`: the event files' order; a later one wins where steps overlap. False where there are too many tags for another one. */
  add(file: number, step: number, time: number, value: LogValue): boolean {
    if (this.wanted && !this.wanted.has(value.tag)) {
      this.note(step, time);
      return true;
    }
    const more = this.scalars.size + this.histograms.size + this.vectors.size < MOST_TAGS;
    if (value.shape === "scalar") {
      const rows = this.scalars.open(value.tag, more);
      if (!rows) return false;
      rows.add(file, step, time, value.value);
    } else if (value.shape === "histogram") {
      const rows = this.histograms.open(value.tag, more);
      if (!rows) return false;
      rows.add(file, step, time, shareEdges(value.value, rows.values));
    } else {
      const rows = this.vectors.open(value.tag, more);
      if (!rows) return false;
      rows.add(file, step, time, value.value);
    }
    this.note(step, time);
    return true;
  }

  private note(step: number, time: number): void {
    this.firstTime ??= time;
    this.lastTime = time;
    this.lastStep = Math.max(this.lastStep, step);
  }

  /** A writer restarted at `step`: what was written there or later is superseded. */
  supersede(step: number): void {
    if (step > this.lastStep) return;
    this.cuts.add(step);
    this.lastStep = Math.min(this.lastStep, Math.max(0, step - 1));
  }

  /** Sorted. */
  tags(kind: Kind | undefined): readonly string[] {
    if (kind === "scalar") return this.scalars.tags;
    if (kind === "histogram") return this.histograms.tags;
    if (kind === "vector") return this.vectors.tags;
    return [...this.scalars.tags, ...this.histograms.tags, ...this.vectors.tags].sort();
  }

  series(tag: string, from = 0): Series | undefined {
    const rows = this.scalars.look(tag);
    return rows && { steps: rows.steps.view(from), values: rows.values.view(from), times: rows.times.view(from) };
  }

  points(tag: string, cursor: Cursor | undefined): Increment | undefined {
    const rows = this.scalars.look(tag);
    if (!rows) return undefined;
    const reset = cursor?.generation !== rows.generation;
    const added = this.series(tag, reset ? 0 : cursor.length)!;
    return { added, reset, cursor: { generation: rows.generation, length: rows.length } };
  }

  /** Of a histogram or vector tag. */
  steps(tag: string): Float64Array {
    return (this.histograms.look(tag) ?? this.vectors.look(tag))?.steps.view() ?? new Float64Array();
  }

  histogram(tag: string, step: number): Histogram | undefined {
    const found = this.histograms.nearest(tag, step);
    return found && { step: found.step, ...found.value };
  }

  vector(tag: string, step: number): { step: number; values: Float64Array } | undefined {
    const found = this.vectors.nearest(tag, step);
    return found && { step: found.step, values: found.value };
  }
}

/** A tag's histograms mostly have the same edges: kept once, half the memory. */
function shareEdges(value: HistogramValue, rows: Objects<HistogramValue>): HistogramValue {
  const before = rows.length > 0 ? rows.get(rows.length - 1).edges : undefined;
  if (before?.length !== value.edges.length || !before.every((edge, i) => edge === value.edges[i])) return value;
  return { ...value, edges: before };
}
