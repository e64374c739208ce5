/** What the diagnostics cost a run: the same training with and without them, trainer, log and all. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LOSS_TRAIN } from "../../extension/protocol/tags";
import { RunReader } from "../../extension/runs/runFolder";
import { compare, type Contender, print, type Row } from "./measure";

const STEPS = 200;
/** The first step measures everything once; it is a constant, not a rate. */
const SKIPPED = 20;

async function train(trainer: string, root: string, budget: number): Promise<{ secondsPerStep: number; peakMegabytes: number }> {
  const folder = await mkdtemp(join(tmpdir(), "muonscope-bench-"));
  const runFile = join(folder, "bench.muonscope.json");
  await writeFile(
    runFile,
    JSON.stringify({
      model: { layers: 4, width: 128, heads: 4, context: 128 },
      data: { files: [join(root, "{extension,native,webview,test}/**/*.{ts,cc,h}")] },
      batch: { size: 16 },
      steps: STEPS,
      validation: { every: STEPS, batches: 1 },
      checkpoints: { every: 0 },
      diagnostics: { budget },
    }),
  );
  const runs = join(folder, "runs");
  const child = spawn(process.execPath, [trainer, runFile, "--runs", runs], { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`the trainer should exit with 0, but exited with ${code}`);
  const [name] = await readdir(runs);
  const reader = new RunReader(join(runs, name ?? ""));
  while (await reader.poll());
  const times = reader.series(LOSS_TRAIN)?.times ?? new Float64Array();
  const memory = reader.series("memory/peak_rss")?.values.at(-1) ?? NaN;
  await rm(folder, { recursive: true });
  const first = times[SKIPPED] ?? NaN;
  return { secondsPerStep: ((times.at(-1) ?? NaN) - first) / (times.length - 1 - SKIPPED), peakMegabytes: memory / 2 ** 20 };
}

export async function diagnosticsCost(trainer: string, root: string): Promise<void> {
  let peak = 0;
  const contender = (budget: number): Contender => ({
    run: async () => {
      const { secondsPerStep, peakMegabytes } = await train(trainer, root, budget);
      peak = Math.max(peak, peakMegabytes);
      return [secondsPerStep];
    },
  });
  print(await compare("training step, diagnostics on ÷ off", contender(0.02), contender(0), 1.03, 5, 1));
  const row: Row = { name: "peak memory of the trainer, 1 M parameters", ours: peak, theirs: null, unit: "MB", value: peak, goal: 400 };
  print(row);
}
