/** The order of rows that came out of order: finds, inserts and drops in the logarithm of their number. */
import { lowerBound } from "./downsample";

/** Rows of a block: as many numbers are moved at most when one is inserted. */
const BLOCK = 512;

interface Block {
  steps: Float64Array;
  rows: Uint32Array;
  length: number;
}

const block = (): Block => ({ steps: new Float64Array(BLOCK), rows: new Uint32Array(BLOCK), length: 0 });

/** Rows by ascending step, each step once. */
export class StepOrder {
  private readonly blocks: Block[] = [];
  length = 0;

  /** `steps`: ascending; of the rows 0, 1, 2, … */
  constructor(steps: Float64Array) {
    // With room in each, so that the next one does not split it.
    for (let at = 0; at === 0 || at < steps.length; at += BLOCK / 2) {
      const filled = block();
      const part = steps.subarray(at, at + BLOCK / 2);
      filled.steps.set(part);
      for (let i = 0; i < part.length; i++) filled.rows[i] = at + i;
      filled.length = part.length;
      this.blocks.push(filled);
    }
    this.length = steps.length;
  }

  /** In place of the row that has this step, if one has. */
  put(step: number, row: number): void {
    const index = this.blockOf(step);
    const found = this.blocks[index]!;
    const at = lowerBound(found.steps.subarray(0, found.length), step);
    if (at < found.length && found.steps[at] === step) {
      found.rows[at] = row;
      return;
    }
    found.steps.copyWithin(at + 1, at, found.length);
    found.rows.copyWithin(at + 1, at, found.length);
    found.steps[at] = step;
    found.rows[at] = row;
    found.length++;
    this.length++;
    // Room for the next one. What comes in order fills its blocks.
    if (found.length === BLOCK) this.split(index, index === this.blocks.length - 1 ? BLOCK - 1 : BLOCK / 2);
  }

  /** Drops what has this step or a later one. */
  truncate(step: number): void {
    const index = this.blockOf(step);
    while (this.blocks.length > index + 1) this.length -= this.blocks.pop()!.length;
    const last = this.blocks[index]!;
    const keep = lowerBound(last.steps.subarray(0, last.length), step);
    this.length -= last.length - keep;
    last.length = keep;
    if (keep === 0 && index > 0) this.blocks.pop();
  }

  /** The rows in ascending order of step. */
  rows(): Uint32Array {
    const rows = new Uint32Array(this.length);
    let at = 0;
    for (const each of this.blocks) {
      rows.set(each.rows.subarray(0, each.length), at);
      at += each.length;
    }
    return rows;
  }

  /** The last block that begins at or before this step; the first where all begin later. Only the first may be empty. */
  private blockOf(step: number): number {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.blocks[middle]!.steps[0]! <= step) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private split(index: number, at: number): void {
    const [before, after] = [this.blocks[index]!, block()];
    after.steps.set(before.steps.subarray(at));
    after.rows.set(before.rows.subarray(at));
    after.length = before.length - at;
    before.length = at;
    this.blocks.splice(index + 1, 0, after);
  }
}
