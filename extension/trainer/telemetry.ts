/** A step's result as log values. */
import { DIAGNOSTICS_TIME, GRADIENT_NORM, LEARNING_RATE, LOSS_TRAIN, matrixTag, STEP_TIME, TOKENS_PER_SECOND } from "../protocol/tags";
import type { LogValue } from "../protocol/tfevents";
import type { Measurement, PhaseCost, StepResult } from "./addon";

const scalar = (tag: string, value: number): LogValue => ({ tag, shape: "scalar", value });

export interface StepFacts {
  /** Learning rates in force: base value × schedule × lrFactor. */
  learningRate: number;
  auxiliaryLearningRate: number;
  /** Wall-clock seconds of the whole step. */
  seconds: number;
  tokens: number;
  /** Whether to tell the phases apart, too: of little use at every step. */
  phases: boolean;
}

export function stepValues(result: StepResult, facts: StepFacts): LogValue[] {
  return [
    scalar(LOSS_TRAIN, result.loss),
    scalar(LEARNING_RATE, facts.learningRate),
    scalar("optimizer/lr_auxiliary", facts.auxiliaryLearningRate),
    scalar(GRADIENT_NORM, result.gradNorm),
    scalar(TOKENS_PER_SECOND, facts.tokens / facts.seconds),
    scalar(STEP_TIME, facts.seconds),
    scalar("time/forward_backward", result.time.forwardBackward),
    scalar("time/optimizer", result.time.optimizer),
    scalar(DIAGNOSTICS_TIME, result.time.diagnostics),
    ...(facts.phases ? phaseValues(result.phases) : []),
    ...result.measurements.map(measured),
  ];
}

/** Seconds by phase, over all ranks; bytes by rank, over all phases. */
function phaseValues(phases: readonly PhaseCost[]): LogValue[] {
  const seconds = new Map<string, number>();
  const bytes = new Map<number, number>();
  for (const cost of phases) {
    seconds.set(cost.phase, (seconds.get(cost.phase) ?? 0) + cost.seconds);
    bytes.set(cost.rank, (bytes.get(cost.rank) ?? 0) + cost.bytes);
  }
  return [
    ...[...seconds].map(([phase, sum]) => scalar(`time/optimizer/${phase}`, sum)),
    ...[...bytes].map(([rank, sum]) => scalar(`shard/bytes/rank${rank}`, sum)),
  ];
}

function measured({ channel, tap, tensor, shape, values, edges, min, max, count, sum, sumSquares }: Measurement): LogValue {
  const tag = matrixTag(channel, tap, tensor);
  if (shape === "scalar") return scalar(tag, values[0]!);
  if (shape === "vector") return { tag, shape, value: values };
  return { tag, shape, value: { edges, counts: values, min, max, count, sum, sumSquares } };
}
