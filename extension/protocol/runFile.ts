/** The run file (`*.muonscope.json`) as a person writes it: everything but `data` may be left out. */
import type { KnobValues } from "./description";

export interface RunFile {
  /** For whoever chooses the file. */
  description?: string;
  name?: string;
  /** "cpu", "cuda" or "auto". */
  backend?: string;
  /** Which GPU, by index; or several: the model on the first, the optimizer's ranks on all in turn. */
  device?: number | number[];
  /** Of matrix products: "auto", "fp32", "tf32" or "bf16". */
  precision?: string;
  /** CPU threads; 0 = one per physical core. */
  threads?: number;
  seed?: number;
  model?: { layers?: number; width?: number; heads?: number; context?: number; zeroProjections?: boolean; recompute?: boolean };
  data: {
    /** Globs, relative to the run file. Text files or `.bin` token shards. */
    files: string[];
    /** Globs left out again. */
    exclude?: string[];
    /** Held out for validation; without it, the last `validationFraction` of the text. */
    validationFiles?: string[];
    validationFraction?: number;
    tokenizer?: "bytes" | "gpt2";
  };
  batch?: { size?: number; accumulation?: number };
  steps?: number;
  /** `warmup` in steps, `cooldown` as a fraction of all steps (WSD). */
  schedule?: { warmup?: number; cooldown?: number; shape?: "constant" | "linear" | "cosine" };
  optimizer?: { preset?: string; clip?: number } & KnobValues;
  /** AdamW of embedding and head. */
  auxiliary?: KnobValues;
  sharding?: { ranks?: number };
  validation?: { every?: number; batches?: number };
  checkpoints?: { every?: number; keep?: number };
  diagnostics?: {
    /** Fraction of the step time that measuring may take. 0 = off. */
    budget?: number;
    /** channel → taps. Without it the engine's defaults. */
    channels?: Record<string, string[]>;
  };
}

/** Every field filled in: what a run does, as `run.json` records it. */
export interface RunSpec {
  name: string;
  backend: string;
  device: number | number[];
  precision: string;
  threads: number;
  seed: number;
  model: { layers: number; width: number; heads: number; context: number; zeroProjections: boolean; recompute: boolean };
  data: {
    /** Absolute globs. */
    files: string[];
    exclude: string[];
    validationFiles: string[];
    validationFraction: number;
    tokenizer: "bytes" | "gpt2";
  };
  batch: { size: number; accumulation: number };
  steps: number;
  schedule: { warmup: number; cooldown: number; shape: "constant" | "linear" | "cosine" };
  preset: string;
  clip: number;
  /** Complete, preset and overrides merged. */
  optimizer: KnobValues;
  auxiliary: KnobValues;
  sharding: { ranks: number };
  validation: { every: number; batches: number };
  checkpoints: { every: number; keep: number };
  diagnostics: { budget: number; channels: Record<string, string[]> };
}

/** The GPUs that a run asks for, the one of the model first. */
export const gpusOf = ({ device }: Pick<RunSpec, "device">): number[] => (Array.isArray(device) ? device : [device]);
