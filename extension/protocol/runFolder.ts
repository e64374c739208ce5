/** Names and shapes of what a run folder holds. Any prefix of any of these files is a valid run. */
import type { DiagnosticDescription, Knob, RunMemory } from "./description";
import type { RunSpec } from "./runFile";

export const RUN_JSON = "run.json";
export const EVENTS_JSONL = "events.jsonl";
export const CONTROL_JSONL = "control.jsonl";
export const CHECKPOINTS = "checkpoints";
export const TRAINER_LOG = "trainer.log";

/** `run.json`: what was asked, fully resolved; written once, before the first step. */
export interface RunJson {
  format: 1;
  id: string;
  name: string;
  /** ISO 8601. */
  created: string;
  versions: { muonscope: string; node: string; engine: string };
  machine: { host: string; platform: string; cpu: string };
  /** `device`: the GPU, as the list of devices names it; of several the names with " + " between them, the model's first. */
  backend: { id: string; detail: string; device?: string };
  /** Versions before 0.2 did not say. */
  memory?: RunMemory;
  spec: RunSpec;
  /** The run file it came from, absolute; null when there was none. */
  runFile: string | null;
  parameters: { name: string; rows: number; cols: number; group: "matrix" | "auxiliary" }[];
  data: { trainTokens: number; validationTokens: number; files: number; vocabulary: number };
  /** Live knobs, for controls. */
  knobs: Knob[];
  auxiliaryKnobs: Knob[];
  /** What channels mean. */
  diagnostics: DiagnosticDescription[];
  parent: { id: string; checkpoint: string } | null;
}

export type RunEvent = { time: string; step: number } & (
  | { type: "started"; pid: number; host: string; processStart: string; resumedFrom: string | null }
  /** An order took effect: visible from `step` on. `changed` = values before and after. */
  | { type: "applied"; order: string; do?: string; set?: Record<string, unknown>; scope?: string; before?: Record<string, unknown> }
  | { type: "refused"; order: string; reason: string }
  | { type: "paused"; reason: string }
  | { type: "resumed" }
  | { type: "checkpoint"; file: string; loss: number | null }
  | { type: "alert"; severity: "warning" | "error"; message: string }
  | { type: "finished"; loss: number | null; validationLoss: number | null; seconds: number }
  | { type: "stopped"; reason: string; checkpoint: string | null }
  | { type: "failed"; message: string }
  /** Read, never written: an event of a newer version, and what it calls it. */
  | { type: "unknown"; name: string }
);

/** One line of `control.jsonl`. */
export type Order =
  | { id: string; set: Record<string, boolean | number | string>; scope?: string }
  | { id: string; do: "pause" | "resume" | "step" | "checkpoint" | "measure" | "stop" };

/** `lrFactor` is a knob of the trainer, beside the engine's live knobs: multiplies the schedule for every group. */
export const LR_FACTOR: Knob = {
  id: "lrFactor",
  type: "number",
  default: 1,
  minimum: 0,
  maximum: 1000,
  live: true,
  meaning: "Multiplies the learning-rate schedule of every parameter.",
  source: "Muonscope",
};

export type RunStatus =
  | "starting" // folder is there, no step yet; its process is alive, or about to be
  | "running"
  | "paused"
  | "finished"
  | "stopped"
  | "failed" // wrote why
  | "crashed" // process gone without a word
  | "unknown"; // no events: another tool's log, or another host's process

export interface RunState {
  status: RunStatus;
  step: number;
  steps: number | null;
  loss: number | null;
  validationLoss: number | null;
  /** Milliseconds since the epoch. */
  startedAt: number | null;
  updatedAt: number | null;
  /** Why it paused, stopped, failed or crashed; last log lines for a crash. */
  reason: string | null;
}
