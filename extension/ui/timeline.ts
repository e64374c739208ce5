/** When in its training a run made a step. Pure. */
import type { RunEvent } from "../protocol/runFolder";
import type { Series } from "../protocol/series";
import { trainingSeconds } from "../runs/compare";
import { lowerBound } from "../runs/downsample";

/**
 * Seconds of training at these points (indices, ascending) of a series. As `trainingSeconds` of the whole series gives
 * them, without looking at all of a long one: it needs only the points themselves and the last before each start.
 */
export function secondsAt({ times }: Series, events: readonly RunEvent[], points: readonly number[]): number[] {
  const starts = events.flatMap((event) =>
    event.type === "started" ? Math.max(0, lowerBound(times, Date.parse(event.time) / 1000) - 1) : [],
  );
  const needed = [...new Set([...points, ...starts])].filter((index) => index < times.length).sort((a, b) => a - b);
  const seconds = trainingSeconds(
    Float64Array.from(needed, (index) => times[index]!),
    events,
  );
  const at = new Map(needed.map((index, i) => [index, seconds[i]!]));
  return points.map((index) => at.get(index) ?? 0);
}
