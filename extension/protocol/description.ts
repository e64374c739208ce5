/** What the engine says of itself: the source of the run file's schema, the controls and the validation of orders; and of the machine. */

export type KnobValue = boolean | number | string;
export type KnobValues = Record<string, KnobValue>;

export interface Knob {
  id: string;
  type: "number" | "integer" | "boolean" | "enum";
  default: KnobValue;
  /** Absent: unbounded. */
  minimum?: number;
  maximum?: number;
  choices?: string[];
  /** May change during a run. */
  live: boolean;
  meaning: string;
  source: string;
}

export interface OptimizerDescription {
  id: string;
  title: string;
  meaning: string;
  source: string;
  /** A value for every knob that applies to it; setting another one is refused. */
  defaults: KnobValues;
}

export interface DiagnosticDescription {
  id: string;
  title: string;
  shape: "scalar" | "histogram" | "vector";
  unit: string;
  taps: string[];
  defaultTaps: string[];
  logarithmic: boolean;
  meaning: string;
  source: string;
}

export interface EngineDescription {
  knobs: Knob[];
  auxiliaryKnobs: Knob[];
  optimizers: OptimizerDescription[];
  diagnostics: DiagnosticDescription[];
  taps: string[];
}

/** One backend on this machine. */
export interface BackendReport {
  id: string;
  available: boolean;
  /** Device or BLAS, threads; or, when not available, why and what to do: sentences, on one line or several. */
  detail: string;
  /** GPUs by index: "NVIDIA H200, 139.8 GiB". Empty for the CPU and where there are none. */
  devices: string[];
}

/** Bytes: what a run takes for each on the device of the model, and what was free there before it. */
export interface RunMemory {
  weights: number;
  gradients: number;
  optimizer: number;
  activations: number;
  available: number;
  /** By index, for the optimizer's ranks there: their state and what they work with. Absent in runs of older versions. */
  others?: { device: number; needed: number; available: number }[];
}
