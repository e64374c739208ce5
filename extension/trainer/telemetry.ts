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
    ...phaseValues(result.phases),
  ];
}

/** By the step at which they were shown. */
export function measuredValues(measurements: readonly Measurement[]): Map<number, LogValue[]> {
  const values = new Map<number, LogValue[]>();
  for (const each of measurements) values.set(each.step, [...(values.get(each.step) ?? []), measured(each)]);
  return values;
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
  return { tag, shape, value: { edges, counts: values, ...drawable(edges, min, max), count, sum, sumSquares } };
}

/**
 * TensorBoard draws the under- and overflow bin as far as `min` and `max`: one row of zeros, at 2^-149, would leave nothing to be
 * read of the others. They get the width of their neighbours; what is in them is counted all the same.
 */
function drawable(edges: Float64Array, min: number, max: number): { min: number; max: number } {
  const bins = edges.length - 1;
  const [low, high] = [edges[1]!, edges[bins - 1]!];
  const width = (high - low) / (bins - 2);
  return {
    min: edges[0] === -Infinity ? Math.max(min, low - width) : min,
    max: edges[bins] === Infinity ? Math.min(max, high + width) : max,
  };
}
