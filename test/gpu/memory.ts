/** Does a run take of the device's memory what it said before it began? As nvidia-smi counts it. A process of its own. */
import { loadAddon } from "../../extension/trainer/addon";
import { formatBytes } from "../../extension/protocol/format";
import type { Part } from "./part";
import { nvidiaSmi } from "./processes";
import { engineConfig, OPTIONS, sizeOf, tokensOf } from "./sizes";

/** Beside what is planned: buffers are rounded up to whole pages of 2 MiB, and cuBLASLt and graphs have memory of their own. */
const ALLOWED = { factor: 1.1, more: 128 * 2 ** 20 };

/** Bytes used on the first GPU, by everyone. */
async function used(): Promise<number | { reason: string }> {
  const answer = await nvidiaSmi("--query-gpu=memory.used");
  if (!Array.isArray(answer)) return answer;
  const mebibytes = Number(answer[0]);
  return Number.isFinite(mebibytes) ? mebibytes * 2 ** 20 : { reason: `nvidia-smi says "${answer[0]}" of the memory in use` };
}

export async function memoryOfRun({ report, small }: Part): Promise<void> {
  const what = "memory of a run";
  const addon = loadAddon();
  const size = sizeOf(small);
  // The device's context and its modules come with the first engine: they are no part of the plan.
  const first = await addon.createEngine(engineConfig(sizeOf(true), 1));
  await first.step(tokensOf(sizeOf(true), 1), OPTIONS);
  first.dispose();
  const before = await used();
  if (typeof before !== "number") return report.skip(what, before.reason);
  const engine = await addon.createEngine(engineConfig(size, size.batch));
  const { weights, gradients, optimizer, activations } = engine.memory;
  const plan = weights + gradients + optimizer + activations;
  for (let step = 0; step < 4; step++) await engine.step(tokensOf(size, size.batch), OPTIONS);
  const after = await used();
  engine.dispose();
  if (typeof after !== "number") return report.skip(what, after.reason);
  const taken = after - before;
  const figures = `${size.name}: ${formatBytes(Math.max(0, taken))} by nvidia-smi, planned ${formatBytes(plan)} (optimizer ${formatBytes(optimizer)}, activations ${formatBytes(activations)})`;
  if (taken < plan / 2) return report.skip(what, `${figures}: nvidia-smi does not see this process's memory`);
  report.verdict(what, taken <= ALLOWED.factor * plan + ALLOWED.more, figures);
}
