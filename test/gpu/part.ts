/** What a part of the check is given. */
import type { Report } from "./report";

export interface Part {
  report: Report;
  /** Sizes for trying out the check itself. */
  small: boolean;
  /** Seconds that it should need at most. */
  limit: number;
  /** Seconds that it may still take. */
  left(): number;
}

/** For what was ended because its time was over: a fault where it had all the time that it should need. */
export function cutOff({ report, limit }: Part, what: string, had: number): void {
  if (had < limit - 2) report.skip(what, `not checked to its end: ${had.toFixed(0)} s were left`);
  else report.fail(what, `was ended after ${had.toFixed(0)} s`);
}
