/** Reads one run folder, again and again while it grows. Any prefix of its files is a valid run. */
import type { Histogram, Series } from "../protocol/series";
import type { RunEvent, RunJson, RunState } from "../protocol/runFolder";

/** Where a panel is in a series; opaque, from `points`. */
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

export interface Checkpoint {
  /** Absolute. */
  file: string;
  step: number;
}

export class RunReader {
  constructor(readonly folder: string) {}
  /** Undefined for a folder that another tool wrote, or that is still being made. */
  run: RunJson | undefined = undefined;
  readonly events: readonly RunEvent[] = [];
  /** File, byte, what: unreadable records that were passed over. */
  readonly warnings: readonly string[] = [];

  /** Reads what was appended since the last call, in slices of a few milliseconds. True when there was something new. */
  async poll(): Promise<boolean> {
    throw new Error(`not read: ${this.folder}`);
  }
  /** As of the last poll. */
  state(): RunState {
    throw new Error("not read");
  }
  /** Scalar, histogram and vector tags, sorted. */
  tags(kind?: "scalar" | "histogram" | "vector"): string[] {
    return [kind ?? ""];
  }
  /** Views, not copies; what they show does not change under the reader's feet. */
  series(_tag: string): Series | undefined {
    return undefined;
  }
  /** Points since `cursor` (undefined: all). Undefined for a tag that is not (yet) a scalar. */
  points(_tag: string, _cursor: Cursor | undefined): Increment | undefined {
    return undefined;
  }
  histogramSteps(_tag: string): Float64Array {
    return new Float64Array();
  }
  /** The nearest at or before `step`. */
  histogram(_tag: string, _step: number): Histogram | undefined {
    return undefined;
  }
  vectorSteps(_tag: string): Float64Array {
    return new Float64Array();
  }
  /** The nearest at or before `step`. */
  vector(_tag: string, _step: number): { step: number; values: Float64Array } | undefined {
    return undefined;
  }
  /** Ascending by step. */
  async checkpoints(): Promise<Checkpoint[]> {
    return [];
  }
}
