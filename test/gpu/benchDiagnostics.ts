/** What the standard diagnostics cost a run on the device: the same training with and without them, trainer, log and all. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LOSS_TRAIN } from "../../extension/protocol/tags";
import { RunReader } from "../../extension/runs/runFolder";
import type { Contender } from "../bench/measure";
import type { Bench } from "./benching";
import { beside, ending, lastLines, run } from "./processes";
import { count } from "./report";
import { alternate } from "./table";

/** The first step measures everything once; it is a constant, not a rate. */
const SKIPPED = 20;
/** The default of the run file. */
const BUDGET = 0.02;
/** Fewer than elsewhere: a turn is two whole runs. */
const TURNS = 3;

async function secondsPerStep({ size, small, left }: Bench, folder: string, budget: number): Promise<number> {
  const { layers, width, heads } = size.model;
  const steps = small ? 30 : 120;
  const file = join(folder, "bench.muonscope.json");
  const spec = {
    backend: "cuda",
    precision: "bf16",
    model: { layers, width, heads, context: size.context },
    data: { files: [beside("text.txt")], tokenizer: small ? "bytes" : "gpt2" },
    batch: { size: size.batch },
    steps,
    validation: { every: steps, batches: 1 },
    checkpoints: { every: 0 },
    diagnostics: { budget },
  };
  writeFileSync(file, JSON.stringify(spec));
  const runs = join(folder, "runs");
  const ended = await run(process.execPath, [beside("trainer.js"), file, "--runs", runs], { limit: left() });
  if (ended.code !== 0) throw new Error(`the trainer ended with ${ended.late ? "its time" : ending(ended)}: ${lastLines(ended.output, 3)}`);
  const reader = new RunReader(join(runs, readdirSync(runs)[0] ?? ""));
  while (await reader.poll());
  const times = reader.series(LOSS_TRAIN)?.times ?? new Float64Array();
  rmSync(runs, { recursive: true });
  return (times.at(-1)! - times[SKIPPED]!) / (times.length - 1 - SKIPPED);
}

export async function diagnosticsRows(bench: Bench): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "muonscope-gpu-"));
  const contender = (budget: number): Contender => ({ run: async () => [await secondsPerStep(bench, folder, budget)] });
  try {
    const [on, off] = await alternate([contender(BUDGET), contender(0)], bench.small ? 1 : TURNS, 1);
    const tokens = bench.size.batch * bench.size.context;
    const whole = `${bench.size.name}, bf16, a run by the trainer, standard diagnostics, ${count(tokens)} tokens a step`;
    bench.table.figure(whole, `${count(Math.round(tokens / on!))} tokens/s`);
    bench.table.ratio(`training step, ${bench.size.name}, bf16, standard diagnostics on ÷ off`, on!, off!, "≤ 1.03", "ms");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
