/** What the check of a GPU found: one line for each result, and how many of each kind. */

export const count = (number: number): string => number.toLocaleString("en");

export class Report {
  private passed = 0;
  private failed = 0;
  private skipped = 0;

  /** `results`: how many this line stands for. */
  pass(what: string, results = 1): void {
    this.passed += results;
    console.log(`✔ ${what}`);
  }

  /** Lines of `why` after the first are shown below it. */
  fail(what: string, why: string): void {
    this.failed++;
    console.log(`✖ ${what}: ${why.trimEnd().replaceAll("\n", "\n    ")}`);
  }

  skip(what: string, why: string): void {
    this.skipped++;
    console.log(`– ${what}: ${why}`);
  }

  verdict(what: string, holds: boolean, figures: string): void {
    if (holds) this.pass(`${what}: ${figures}`);
    else this.fail(what, figures);
  }

  /** A line of a part that runs as a process of its own, which prints as this does. */
  relay(line: string): void {
    if (line.startsWith("✔ ")) this.passed++;
    if (line.startsWith("✖ ")) this.failed++;
    if (line.startsWith("– ")) this.skipped++;
    console.log(line);
  }

  get succeeded(): boolean {
    return this.failed === 0;
  }

  toString(): string {
    return `${this.passed} passed, ${this.failed} failed, ${this.skipped} skipped`;
  }
}
