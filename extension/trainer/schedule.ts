/**
 * The learning rate's factor: linear warm-up, constant, then a cool-down over the last part of the steps (WSD: arXiv 2404.06395;
 * the linear cool-down is modded-nanogpt's). Pure.
 */
import type { RunSpec } from "../protocol/runFile";

/** For the step that is about to be made, 1 ≤ step ≤ steps; in (0, 1]. */
export function scheduleFactor(step: number, { steps, schedule }: Pick<RunSpec, "steps" | "schedule">): number {
  const warm = schedule.warmup > 0 ? Math.min(1, step / schedule.warmup) : 1;
  if (schedule.shape === "constant" || schedule.cooldown === 0) return warm;
  // What is left before this step, as a fraction of the cool-down.
  const left = Math.min(1, (steps - step + 1) / (schedule.cooldown * steps));
  const cool = schedule.shape === "linear" ? left : (1 - Math.cos(Math.PI * left)) / 2;
  return warm * cool;
}
