/** How fast a run goes, how long it took and will take, and what looking into it costs. Pure. */
import type { RunEvent } from "../protocol/runFolder";
import { DIAGNOSTICS_TIME, LOSS_TRAIN, STEP_TIME, TOKENS_PER_SECOND } from "../protocol/tags";
import { trainingSeconds } from "../runs/compare";
import type { RunReader } from "../runs/runFolder";

export interface Pace {
  tokensPerSecond: number | null;
  elapsedSeconds: number | null;
  remainingSeconds: number | null;
  overhead: number | null;
}

/** Steps over which a pace is taken: short enough to follow a change, long enough to hold a validation now and then. */
const WINDOW = 50;

export function paceOf(reader: Pick<RunReader, "series">, events: readonly RunEvent[], steps: number | null): Pace {
  const loss = reader.series(LOSS_TRAIN);
  const count = loss?.steps.length ?? 0;
  const seconds = loss && trainingSeconds(loss.times, events);
  const first = Math.max(0, count - 1 - WINDOW);
  const perStep = count > 1 ? (seconds![count - 1]! - seconds![first]!) / (loss!.steps[count - 1]! - loss!.steps[first]!) : null;
  const [step, diagnostics] = [sum(reader.series(STEP_TIME)?.values), sum(reader.series(DIAGNOSTICS_TIME)?.values)];
  return {
    tokensPerSecond: mean(reader.series(TOKENS_PER_SECOND)?.values.subarray(-WINDOW)),
    elapsedSeconds: seconds?.at(-1) ?? null,
    remainingSeconds: perStep === null || steps === null ? null : perStep * Math.max(0, steps - loss!.steps[count - 1]!),
    overhead: step > diagnostics ? diagnostics / (step - diagnostics) : null,
  };
}

const sum = (values: Float64Array | undefined): number => values?.reduce((total, value) => total + value, 0) ?? 0;

const mean = (values: Float64Array | undefined): number | null => (values && values.length > 0 ? sum(values) / values.length : null);
