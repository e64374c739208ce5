/** Short runs through the trainer as it ships: the same losses on the device as on the CPU, also of a run that was killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { CHECKPOINTS } from "../../extension/protocol/runFolder";
import type { RunFile } from "../../extension/protocol/runFile";
import { LOSS_TRAIN } from "../../extension/protocol/tags";
import { RunReader } from "../../extension/runs/runFolder";
import type { Part } from "./part";
import { beside, ending, lastLines, run } from "./processes";

/** The CPU's part of the comparison, and how long the run that is killed is. */
const STEPS = { cpu: 60, cuda: 1000, checkpoint: 50 };
const SMALL_STEPS = { cpu: 12, cuda: 40, checkpoint: 10 };

/** Head size 64, as GPT-2's: the path that large models take. */
const MODEL = { layers: 2, width: 128, heads: 2, context: 128 };
const SMALL_MODEL = { layers: 1, width: 64, heads: 1, context: 32 };

const trainer = beside("trainer.js");

function write(folder: string, name: string, small: boolean, change: RunFile | object): string {
  const steps = small ? SMALL_STEPS : STEPS;
  const file = join(folder, `${name}.muonscope.json`);
  const spec = {
    data: { files: [beside("text.txt")] },
    model: small ? SMALL_MODEL : MODEL,
    batch: { size: small ? 2 : 8 },
    steps: steps.cuda,
    // So that the first steps are the same however many follow.
    schedule: { warmup: 5, cooldown: 0, shape: "constant" },
    validation: { every: 1e6, batches: 1 },
    checkpoints: { every: steps.checkpoint, keep: 1000 },
    diagnostics: { budget: 0 },
    ...change,
  };
  writeFileSync(file, JSON.stringify(spec));
  return file;
}

/** The folder of the one run among these. */
const only = (runs: string): string => join(runs, readdirSync(runs)[0] ?? "");

export async function readLosses(folder: string): Promise<number[]> {
  const reader = new RunReader(folder);
  while (await reader.poll());
  return [...(reader.series(LOSS_TRAIN)?.values ?? [])];
}

async function train(part: Part, folder: string, name: string, change: RunFile | object): Promise<number[]> {
  const runs = join(folder, name);
  const ended = await run(process.execPath, [trainer, write(folder, name, part.small, change), "--runs", runs], { limit: part.left() });
  if (ended.late) throw new Error("its time was over");
  if (ended.code !== 0) throw new Error(`the trainer ended with ${ending(ended)}\n${lastLines(ended.output, 12)}`);
  return readLosses(only(runs));
}

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function compareLosses(part: Part, what: string, cpu: number[], cuda: number[], first: number, late: number): void {
  const apart = cpu.map((loss, step) => Math.abs(loss - (cuda[step] ?? NaN)));
  const quarter = Math.ceil(cpu.length / 4);
  const [early, end] = [Math.max(...apart.slice(0, 10)), mean(apart.slice(-quarter))];
  const figures = `of ${cpu.length} steps the first 10 are at most ${early.toExponential(1)} nats apart (allowed ${first}), the last ${quarter} on average ${end.toExponential(1)} (allowed ${late})`;
  part.report.verdict(what, early <= first && end <= late, figures);
}

/** Kills the trainer once a checkpoint is there. Undefined when it was not quicker than the run. */
async function killed(part: Part, folder: string, change: object): Promise<string | undefined> {
  const runs = join(folder, "killed");
  mkdirSync(runs);
  const file = write(folder, "killed", part.small, change);
  const child = spawn(process.execPath, [trainer, file, "--runs", runs], { stdio: "ignore" });
  const exit = once(child, "exit") as Promise<[number | null, string | null]>;
  const began = performance.now();
  while (child.exitCode === null && performance.now() - began < part.left() * 1e3) {
    const checkpoints = join(only(runs), CHECKPOINTS);
    if (existsSync(checkpoints) && readdirSync(checkpoints).some((name) => name.endsWith(".safetensors"))) break;
    await wait(2);
  }
  child.kill("SIGKILL");
  const [, signal] = await exit;
  return signal === "SIGKILL" ? only(runs) : undefined;
}

export async function trainingRuns(part: Part, folder: string): Promise<void> {
  const { report, small } = part;
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (part.left() <= 0) report.skip(what, "not checked: no time was left");
      else report.fail(what, (error as Error).message);
      return undefined;
    }
  };
  const precise = { backend: "cuda", precision: "fp32" };
  const fp32 = await attempt("a run on the device, fp32", () => train(part, folder, "fp32", precise));
  if (fp32) {
    const [first, last] = [mean(fp32.slice(0, 5)), mean(fp32.slice(-5))];
    report.verdict("a run on the device, fp32, learns", last < first - 0.5, `loss from ${first.toFixed(3)} to ${last.toFixed(3)}`);
  }
  const bf16 = await attempt("a run on the device, bf16", () => train(part, folder, "bf16", { backend: "cuda", precision: "bf16" }));
  const cpu = await attempt("the same run on the CPU", () =>
    train(part, folder, "cpu", { backend: "cpu", steps: (small ? SMALL_STEPS : STEPS).cpu }),
  );
  // The first steps as in test/cuda/engine.test.ts; later ones drift apart by rounding, far less than they fall.
  if (cpu && fp32) compareLosses(part, "losses follow the CPU's, fp32", cpu, fp32, 1e-3, 0.05);
  if (cpu && bf16) compareLosses(part, "losses follow the CPU's, bf16", cpu, bf16, 0.05, 0.1);
  const what = "a run killed with SIGKILL and resumed has the losses of one that was not";
  await attempt(what, async () => {
    if (!fp32) return report.skip(what, "there is no run to compare it with");
    const broken = await killed(part, folder, precise);
    if (broken === undefined) return report.skip(what, "the run was finished before it could be killed");
    const ended = await run(process.execPath, [trainer, "--resume", broken], { limit: part.left() });
    if (ended.code !== 0) throw new Error(`resuming ended with ${ended.late ? "its time" : ending(ended)}\n${lastLines(ended.output, 12)}`);
    const losses = await readLosses(broken);
    const wrong = fp32.findIndex((loss, step) => loss !== losses[step]);
    const figures = wrong < 0 ? `${losses.length} steps` : `step ${wrong + 1}: ${losses[wrong]}, expected ${fp32[wrong]}`;
    report.verdict(what, wrong < 0 && losses.length === fp32.length, figures);
  });
}
