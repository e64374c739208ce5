/** When in its training a run made a step. Pure. */
import type { RunEvent } from "../protocol/runFolder";
import type { Series } from "../protocol/series";
import { trainingSeconds } from "../runs/compare";
import { lowerBound } from "../runs/downsample";
import { turnsOf } from "../runs/turns";

/**
 * Seconds of training at these points (indices, ascending) of a series. As `trainingSeconds` of the whole series gives
 * them, without looking at all of a long one: it needs only the points themselves and the last before each start.
 */
export function secondsAt({ times }: Series, events: readonly RunEvent[], points: readonly number[]): number[] {
  const needed = [...points];
  for (const { what, seconds } of turnsOf(events)) if (what === "started") needed.push(Math.max(0, lowerBound(times, seconds) - 1));
  const sorted = Uint32Array.from(needed).sort();
  const places = sorted.filter((index, i) => index < times.length && index !== sorted[i - 1]);
  const seconds = trainingSeconds(
    Float64Array.from(places, (index) => times[index]!),
    events,
  );
  return points.map((index) => seconds[lowerBound(places, index)] ?? 0);
}
