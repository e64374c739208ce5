/**
 * The native addon as TypeScript sees it, and the one place that loads the binary.
 *
 * Every promise rejects with an Error whose message says what was expected and what came; nothing in native
 * code exits, aborts or blocks the JavaScript thread. Buffers are copied, never wrapped (Electron's V8 sandbox
 * rejects external ArrayBuffers).
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { BackendReport, EngineDescription, KnobValues, RunMemory } from "../protocol/description";

/** One tensor by name; `data` is fp32, row-major, exact size. */
export interface NamedTensor {
  name: string;
  shape: number[];
  data: Float32Array;
}

/** Where and how precisely an engine or a bare optimizer computes. What the backend does not have is refused with what it has. */
export interface ComputeConfig {
  /** One of the reports' ids. */
  backend: string;
  /** CPU threads; 0: one per physical core. */
  threads: number;
  /**
   * At least one: GPUs by their place among the report's `devices`; ranks are dealt to them in turn, the model is on the first.
   * [0] where there are none.
   */
  devices: number[];
  /** Of matrix products: "fp32", "tf32", "bf16", or "auto" for what the backend is fastest with. All else is fp32 always. */
  precision: string;
}

export interface ModelConfig {
  vocabulary: number;
  layers: number;
  width: number;
  heads: number;
  context: number;
  /** Output projections (attn.out, mlp.down) and the head start at zero, as modded-nanogpt does. */
  zeroProjections: boolean;
  /** Activations of a block are computed again in the backward pass instead of kept. */
  recompute: boolean;
}

export interface EngineConfig extends ComputeConfig {
  seed: number;
  model: ModelConfig;
  /** Sequences in a micro-batch. */
  batch: number;
  preset: string;
  /** Overrides of the preset, for matrices. */
  optimizer: KnobValues;
  /** Overrides for the AdamW of embedding and head. */
  auxiliary: KnobValues;
  ranks: number;
}

export interface MeasureRequest {
  channel: string;
  tap: string;
  tensor: string;
}

export interface Measurement extends MeasureRequest {
  /** At which it was shown. */
  step: number;
  shape: "scalar" | "histogram" | "vector";
  /** A scalar's number (Infinity possible), a vector, or a histogram's counts. */
  values: Float64Array;
  /** Histogram: bins + 1 edges. */
  edges: Float64Array;
  min: number;
  max: number;
  count: number;
  sum: number;
  sumSquares: number;
}

export interface PhaseCost {
  phase: string;
  rank: number;
  seconds: number;
  bytes: number;
}

export interface StepResult {
  /** Mean over the micro-batches, nats per token. */
  loss: number;
  /** Global L2 norm of the gradient, before clipping. */
  gradNorm: number;
  /** False when the loss or a gradient was not finite: weights and optimizer state are untouched. */
  applied: boolean;
  /** Where it was not finite: "loss" or a parameter's name. */
  nonFinite: string | null;
  /**
   * Seconds. A GPU goes on with the optimizer's work while the next step begins, unless the step measures or tells its phases:
   * `optimizer` is then that of the latest step for which it is known, 0 before there is one.
   */
  time: { forwardBackward: number; optimizer: number; diagnostics: number };
  /** Empty unless asked for. */
  phases: PhaseCost[];
  /**
   * What is known by now, of this step and of earlier ones: on a GPU singular values are worked out by the host's processors while
   * the device goes on.
   */
  measurements: Measurement[];
  /** How many measurements are not known yet. */
  pending: number;
}

export interface ParameterInfo {
  name: string;
  rows: number;
  cols: number;
  group: "matrix" | "auxiliary";
}

export interface StepOptions {
  /** The schedule's factor. */
  lrScale: number;
  /** Largest gradient norm; 0: none. */
  clip: number;
  measure: MeasureRequest[];
  /** Time the optimizer's phases one by one, which costs a GPU some of the overlap: not for every step. */
  phases: boolean;
}

/**
 * One call at a time: a second call before the first settles rejects. An error of the device rejects the call in which it is
 * noticed; a GPU's context does not recover from it, so that only another process goes on.
 */
export interface Engine {
  /** The one that it runs on; without `devices`. */
  readonly backend: BackendReport;
  readonly memory: RunMemory;
  parameters(): ParameterInfo[];
  /**
   * One optimizer step. `tokens`: micro-batches × batch × (context + 1) ids, so that inputs are [0, T) and targets [1, T].
   */
  step(tokens: Int32Array, options: StepOptions): Promise<StepResult>;
  /** Measurements that were pending, when they are known. */
  measured(): Promise<Measurement[]>;
  /** Mean loss in nats per token over batches laid out as for step; changes nothing. */
  evaluate(tokens: Int32Array): Promise<number>;
  /** Mean loss and its gradient with respect to every parameter, by the parameters' names; changes nothing. */
  gradients(tokens: Int32Array): Promise<{ loss: number; tensors: NamedTensor[] }>;
  /** Live knobs, from the next step on. `scope` is a glob over parameter names. Throws on what is unknown or not live. */
  set(group: "matrix" | "auxiliary", values: KnobValues, scope: string): void;
  /** Values in force for one parameter. */
  values(parameter: string): KnobValues;
  /** Weights as `weight.NAME`, optimizer state as `optimizer.KIND.NAME`. */
  save(): Promise<{ step: number; tensors: NamedTensor[] }>;
  /** Rejects, changing nothing, when a tensor is missing, unknown or of another shape. */
  load(step: number, tensors: NamedTensor[]): Promise<void>;
  /** Frees native memory; further calls reject. */
  dispose(): void;
}

/** An optimizer without a model: golden trajectories and benchmarks. */
export interface BareOptimizer {
  step(gradients: NamedTensor[], lrScale: number): Promise<{ seconds: number; phases: PhaseCost[] }>;
  set(group: "matrix" | "auxiliary", values: KnobValues, scope: string): void;
  weight(name: string): Float32Array;
  stateNames(): string[];
  state(name: string): Float32Array;
  dispose(): void;
}

export interface Addon {
  readonly version: string;
  describe(): EngineDescription;
  /** From the plainest to the fastest. Looks at the machine: with GPUs it may take seconds. */
  backends(): BackendReport[];
  /** Rejects, before anything is allocated, with the numbers when it does not fit. */
  createEngine(config: EngineConfig): Promise<Engine>;
  createOptimizer(
    config: ComputeConfig & {
      preset: string;
      optimizer: KnobValues;
      auxiliary: KnobValues;
      ranks: number;
      parameters: (NamedTensor & { group: "matrix" | "auxiliary" })[];
    },
  ): Promise<BareOptimizer>;
}

/** Ships beside the bundles; those of the tests lie in folders below. */
const BINARY = "muonscope.node";

/** Throws, with where it looked or why it does not load, and what to do. */
export function loadAddon(): Addon {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    const file = join(folder, BINARY);
    if (existsSync(file)) return loadFrom(file);
    if (folder === dirname(folder)) {
      throw new Error(
        `The engine ${BINARY} was expected in ${__dirname} or above it. Build it with \`npm run build\`, or install the extension again.`,
      );
    }
  }
}

function loadFrom(file: string): Addon {
  const holder = { exports: {} };
  try {
    process.dlopen(holder, file);
  } catch (error) {
    throw new Error(
      `${file} does not load on ${process.platform}-${process.arch}: ${(error as Error).message}. ` +
        "Build it for this machine with `npm run build`, or install the extension's package for it.",
    );
  }
  return holder.exports as Addon;
}
