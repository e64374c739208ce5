/** Telemetry tags: `channel/tap/tensor`, or a plain one such as `loss/train`. */

export const LOSS_TRAIN = "loss/train";
export const LOSS_VALIDATION = "loss/val";
export const LEARNING_RATE = "optimizer/lr";
export const GRADIENT_NORM = "optimizer/grad_norm";
export const TOKENS_PER_SECOND = "throughput/tokens_per_second";
export const STEP_TIME = "time/step";
export const DIAGNOSTICS_TIME = "time/diagnostics";

export const matrixTag = (channel: string, tap: string, tensor: string): string => `${channel}/${tap}/${tensor}`;

/** Undefined for a tag of another form. */
export function parseMatrixTag(tag: string): { channel: string; tap: string; tensor: string } | undefined {
  const parts = tag.split("/");
  if (parts.length !== 3) return undefined;
  const [channel, tap, tensor] = parts as [string, string, string];
  return { channel, tap, tensor };
}
