/** Sound parts of a run folder, from which hostile ones are made by changing one thing. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunJson } from "../../extension/protocol/runFolder";

const time = "2026-01-01T00:00:00.000Z";

/** A run.json that is sound. `parameters`: names of matrices. */
export const description = (name: string, parameters: string[] = ["blocks.0.up"]): RunJson => ({
  format: 1,
  id: name,
  name,
  created: time,
  versions: { muonscope: "0.3.0", node: "v20", engine: "0.3.0" },
  machine: { host: "elsewhere", platform: "linux-x64", cpu: "none" },
  backend: { id: "cpu", detail: "OpenBLAS" },
  spec: {
    name,
    backend: "cpu",
    device: 0,
    precision: "auto",
    threads: 0,
    seed: 1,
    model: { layers: 1, width: 16, heads: 2, context: 8, zeroProjections: true, recompute: false },
    data: { files: ["**/*"], exclude: [], validationFiles: [], validationFraction: 0.1, tokenizer: "bytes" },
    batch: { size: 4, accumulation: 1 },
    steps: 100,
    schedule: { warmup: 5, cooldown: 0.4, shape: "linear" },
    preset: "normuon",
    clip: 0,
    optimizer: { lr: 0.01, normalize: true },
    auxiliary: { lr: 0.003 },
    sharding: { ranks: 1 },
    validation: { every: 10, batches: 2 },
    checkpoints: { every: 10, keep: 3 },
    diagnostics: { budget: 0.02, channels: {} },
  },
  runFile: null,
  parameters: parameters.map((each) => ({ name: each, rows: 16, cols: 16, group: "matrix" })),
  data: { trainTokens: 1000, validationTokens: 100, files: 1, vocabulary: 256 },
  knobs: [{ id: "normalize", type: "boolean", default: true, live: true, meaning: "m", source: "s" }],
  auxiliaryKnobs: [],
  diagnostics: [],
  parent: null,
});

export const writeRun = (folder: string, run: object): void => writeFileSync(join(folder, "run.json"), JSON.stringify(run));

/** A line of events.jsonl. */
export const event = (what: object, step = 1): string => `${JSON.stringify({ time, step, ...what })}\n`;

/** A start on a machine that is not this one, so that nobody looks for its process. */
export const started = event({ type: "started", pid: 1, host: "elsewhere", processStart: "x", resumedFrom: null }, 0);
export const finished = event({ type: "finished", loss: 1, validationLoss: 2, seconds: 3 }, 100);
