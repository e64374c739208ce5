/** Long work in short slices: nothing that runs beside it waits for more than a few milliseconds. */
import { setImmediate } from "node:timers/promises";

/** Milliseconds; far below the 10 that the extension host may be held: a record whose columns all grow, or a collection of garbage, comes on top. */
const SLICE = 3;

export class Slices {
  private start = performance.now();

  /** To be called often: lets others run when this slice is used up. */
  async breathe(): Promise<void> {
    if (performance.now() - this.start < SLICE) return;
    await setImmediate();
    this.start = performance.now();
  }

  /** Whether `breathe` would wait: for loops that are too hot to await in. */
  get spent(): boolean {
    return performance.now() - this.start >= SLICE;
  }
}
