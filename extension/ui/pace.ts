/** How fast a run goes, how long it took and will take, and what looking into it costs. Pure. */
import type { RunEvent } from "../protocol/runFolder";
import { DIAGNOSTICS_TIME, LOSS_TRAIN, STEP_TIME, TOKENS_PER_SECOND } from "../protocol/tags";
import type { RunReader } from "../runs/runFolder";
import { secondsAt } from "./timeline";

export interface Pace {
  tokensPerSecond: number | null;
  elapsedSeconds: number | null;
  remainingSeconds: number | null;
  overhead: number | null;
}

/** Steps over which a pace is taken: short enough to follow a change, long enough to hold a validation now and then. */
const WINDOW = 50;
/** Measuring is spread over many steps: over fewer, its share would jump about. */
const OVERHEAD_WINDOW = 1000;

export function paceOf(reader: Pick<RunReader, "series">, events: readonly RunEvent[], steps: number | null): Pace {
  const values = (tag: string, window: number) => reader.series(tag)?.values.subarray(-window) ?? new Float64Array();
  const tokens = values(TOKENS_PER_SECOND, WINDOW);
  const measuring = sum(values(DIAGNOSTICS_TIME, OVERHEAD_WINDOW));
  const rest = sum(values(STEP_TIME, OVERHEAD_WINDOW)) - measuring;
  return {
    ...times(reader, events, steps),
    tokensPerSecond: tokens.length > 0 ? sum(tokens) / tokens.length : null,
    overhead: rest > 0 ? measuring / rest : null,
  };
}

function times(
  reader: Pick<RunReader, "series">,
  events: readonly RunEvent[],
  steps: number | null,
): Pick<Pace, "elapsedSeconds" | "remainingSeconds"> {
  const loss = reader.series(LOSS_TRAIN);
  const last = (loss?.steps.length ?? 0) - 1;
  if (!loss || last < 0) return { elapsedSeconds: null, remainingSeconds: null };
  const first = Math.max(0, last - WINDOW);
  const [before, now] = secondsAt(loss, events, [first, last]);
  const made = loss.steps[last]! - loss.steps[first]!;
  return {
    elapsedSeconds: now!,
    remainingSeconds: steps === null || made === 0 ? null : ((now! - before!) / made) * Math.max(0, steps - loss.steps[last]!),
  };
}

const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
