/**
 * An engine small enough to predict: one matrix and one auxiliary parameter, each pulled towards the mean token of the batch.
 * For tests of the trainer around it; tests of the mathematics use the real one.
 */
import type { Addon, Engine, EngineConfig, Measurement, NamedTensor, ParameterInfo } from "../../extension/trainer/addon";
import type { BackendReport, EngineDescription, KnobValues, RunMemory } from "../../extension/protocol/description";
import { inScope } from "../../extension/protocol/scope";

const number = (id: string, live = true): EngineDescription["knobs"][number] => ({
  id,
  type: "number",
  default: 0.01,
  minimum: 0,
  live,
  meaning: `The ${id}`,
  source: "test",
});

export const description: EngineDescription = {
  knobs: [
    number("lr"),
    number("weightDecay"),
    { id: "normalize", type: "boolean", default: true, live: true, meaning: "Normalise", source: "test" },
    { id: "scale", type: "enum", default: "paper", choices: ["paper", "preserve"], live: true, meaning: "Scale", source: "test" },
    { id: "axis", type: "enum", default: "rows", choices: ["rows", "longer"], live: false, meaning: "Axis", source: "test" },
  ],
  auxiliaryKnobs: [number("lr"), number("weightDecay")],
  optimizers: [
    {
      id: "normuon",
      title: "NorMuon",
      meaning: "m",
      source: "s",
      defaults: { lr: 0.01, weightDecay: 0.1, normalize: true, scale: "paper", axis: "rows" },
    },
    { id: "adamw", title: "AdamW", meaning: "m", source: "s", defaults: { lr: 0.003, weightDecay: 0.1 } },
  ],
  diagnostics: [
    {
      id: "condition_number",
      title: "Condition number",
      shape: "scalar",
      unit: "",
      taps: ["update", "momentum"],
      defaultTaps: ["update"],
      logarithmic: true,
      meaning: "κ",
      source: "s",
    },
    {
      id: "neuron_norm",
      title: "Neuron norms",
      shape: "histogram",
      unit: "log2",
      taps: ["update"],
      defaultTaps: ["update"],
      logarithmic: false,
      meaning: "ρ",
      source: "s",
    },
  ],
  taps: ["gradient", "momentum", "update"],
};

const parameters: ParameterInfo[] = [
  { name: "blocks.0.mlp.up", rows: 2, cols: 2, group: "matrix" },
  { name: "blocks.1.mlp.up", rows: 2, cols: 2, group: "matrix" },
  { name: "head", rows: 2, cols: 2, group: "auxiliary" },
];

export const memory: RunMemory = { weights: 48, gradients: 48, optimizer: 24, activations: 80, available: 2 ** 31 };

class FakeEngine implements Engine {
  readonly backend: BackendReport = { id: "fake", available: true, detail: "a fake", devices: [] };
  readonly memory = memory;
  private readonly weights = new Map(parameters.map(({ name }) => [name, new Float32Array(4)]));
  private readonly knobs: Map<string, KnobValues>;
  private made = 0;
  private busy = false;
  private withheld: Measurement[] = [];

  constructor(
    private readonly config: EngineConfig,
    private readonly hooks: Hooks,
  ) {
    this.knobs = new Map(parameters.map(({ name, group }) => [name, { ...(group === "matrix" ? config.optimizer : config.auxiliary) }]));
  }

  parameters = (): ParameterInfo[] => parameters;
  values = (name: string): KnobValues => ({ ...this.knobs.get(name)! });

  async step(tokens: Int32Array, options: Parameters<Engine["step"]>[1]): ReturnType<Engine["step"]> {
    if (this.busy) throw new Error("expected one call at a time");
    this.busy = true;
    await new Promise((resolve) => setTimeout(resolve, this.hooks.milliseconds ?? 0));
    this.busy = false;
    const time = { forwardBackward: 0.01, optimizer: 0.01, diagnostics: options.measure.length * 0.001 };
    const failure = this.hooks.onStep?.(this.made + 1, options);
    if (failure !== undefined)
      return { loss: NaN, gradNorm: NaN, applied: false, nonFinite: failure, time, phases: [], measurements: [], pending: 0 };
    this.made++;
    const mean = tokens.reduce((sum, id) => sum + id, 0) / tokens.length / 256;
    let loss = 0;
    for (const { name } of parameters) {
      const weight = this.weights.get(name)!;
      loss += Math.abs(weight[0]! - mean);
      weight.forEach((w, i) => (weight[i] = w + Number(this.knobs.get(name)!["lr"]) * options.lrScale * (mean - w)));
    }
    const measurements = options.measure.map((request) => ({
      ...request,
      step: this.made,
      shape: request.channel === "neuron_norm" ? ("histogram" as const) : ("scalar" as const),
      values: request.channel === "neuron_norm" ? Float64Array.of(0, 3, 5, 0) : Float64Array.of(Infinity),
      edges: Float64Array.of(-Infinity, -4, 0, 4, Infinity),
      min: -1,
      max: 2,
      count: 8,
      sum: 3,
      sumSquares: 9,
    }));
    const phases = options.phases ? [{ phase: "apply", rank: 0, seconds: 0.01, bytes: 64 }] : [];
    if (!this.hooks.late) return { loss, gradNorm: 1, applied: true, nonFinite: null, time, phases, measurements, pending: 0 };
    const known = this.withheld;
    this.withheld = measurements;
    return { loss, gradNorm: 1, applied: true, nonFinite: null, time, phases, measurements: known, pending: measurements.length };
  }

  evaluate = async (tokens: Int32Array): Promise<number> => tokens.reduce((sum, id) => sum + id, 0) / tokens.length / 256;

  async measured(): Promise<Measurement[]> {
    const known = this.withheld;
    this.withheld = [];
    return known;
  }

  gradients = (): Promise<never> => Promise.reject(new Error("the fake has none"));

  set(group: "matrix" | "auxiliary", values: KnobValues, scope: string): void {
    for (const { name } of parameters.filter((each) => each.group === group && inScope(scope, each.name)))
      Object.assign(this.knobs.get(name)!, values);
  }

  async save(): Promise<{ step: number; tensors: NamedTensor[] }> {
    this.hooks.onSave?.(this.made);
    return {
      step: this.made,
      tensors: [...this.weights].map(([name, data]) => ({ name: `weight.${name}`, shape: [2, 2], data: data.slice() })),
    };
  }

  async load(step: number, tensors: NamedTensor[]): Promise<void> {
    this.made = step;
    for (const { name, data } of tensors) this.weights.set(name.slice("weight.".length), data.slice());
  }

  dispose(): void {
    this.hooks.onDispose?.(this.config);
  }
}

export interface Hooks {
  /** What a step takes at least. */
  milliseconds?: number;
  /** Called with the step's number; a string makes it fail as not finite there. */
  onStep?: (step: number, options: Parameters<Engine["step"]>[1]) => string | undefined;
  /** What a step measures is known with the next one. */
  late?: boolean;
  /** Called with the step's number; an error that it throws is the engine's. */
  onSave?: (step: number) => void;
  onDispose?: (config: EngineConfig) => void;
  /** An error that it throws is the engine's refusal. */
  onCreate?: (config: EngineConfig) => void;
  backends?: BackendReport[];
}

export const fakeAddon = (hooks: Hooks = {}): Addon => ({
  version: "fake",
  describe: () => description,
  backends: () =>
    hooks.backends ?? [
      { id: "fake", available: true, detail: "a fake", devices: [] },
      { id: "cuda", available: false, detail: "no device here", devices: [] },
    ],
  createEngine: async (config) => {
    hooks.onCreate?.(config);
    return new FakeEngine(config, hooks);
  },
  createOptimizer: () => Promise.reject(new Error("the fake has none")),
});
