/** Restarts of a writer, each of which supersedes what every tag has from a step on. Tags take note when they are next used. */
import { lowerBound } from "./downsample";

export class Cuts {
  /** How many there were. */
  count = 0;
  /** Those that no later one outdoes, in the order in which they came: numbers, and ascending steps. */
  private numbers: number[] = [];
  private steps: number[] = [];

  add(step: number): void {
    while (this.steps.length > 0 && this.steps.at(-1)! >= step) {
      this.steps.pop();
      this.numbers.pop();
    }
    this.steps.push(step);
    this.numbers.push(this.count++);
  }

  /** The lowest step of those since there were `count`; undefined when there were none. */
  since(count: number): number | undefined {
    return this.steps[lowerBound(this.numbers, count)];
  }
}
