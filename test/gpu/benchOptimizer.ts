/** The optimizer without a model: Newton–Schulz beside cuBLAS, what NorMuon adds to Muon, and the memory of its state. */
import type { BareOptimizer, NamedTensor } from "../../extension/trainer/addon";
import type { KnobValues } from "../../extension/protocol/description";
import type { Contender } from "../bench/measure";
import { type Bench, TURNS } from "./benching";
import { matrices } from "./sizes";
import { alternate } from "./table";

const EACH = 3;
/** Muon without the statistic, which the preset would keep for switching the normalisation on. */
const MUON = { preset: "muon", knobs: { normalization: "none" } };
const NORMUON = { preset: "normuon", knobs: {} };

function tensors(shapes: readonly [number, number][]): NamedTensor[] {
  let state = 1;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return shapes.map(([rows, cols], index) => ({
    name: `m${index}`,
    shape: [rows, cols],
    data: new Float32Array(rows * cols).map(random),
  }));
}

async function withOptimizer<T>(
  { addon }: Bench,
  { preset, knobs }: { preset: string; knobs: KnobValues },
  weights: NamedTensor[],
  work: (optimizer: BareOptimizer) => Promise<T>,
): Promise<T> {
  const optimizer = await addon.createOptimizer({
    backend: "cuda",
    threads: 0,
    devices: [0],
    precision: "bf16",
    preset,
    optimizer: { ...knobs, lr: 1e-4 },
    auxiliary: {},
    ranks: 1,
    parameters: weights.map((weight) => ({ ...weight, group: "matrix" })),
  });
  try {
    return await work(optimizer);
  } finally {
    optimizer.dispose();
  }
}

/** Whole steps as a run makes them, launched at once. */
const launched = (optimizer: BareOptimizer, gradients: NamedTensor[]): Contender => ({
  run: async (count) => {
    const seconds = [];
    for (let i = 0; i < count; i++) seconds.push((await optimizer.step(gradients, 1)).seconds);
    return seconds;
  },
});

/** Newton–Schulz alone: the first step after a knob was set is done directly, with its phases timed one by one. */
const orthogonalizing = (optimizer: BareOptimizer, gradients: NamedTensor[]): Contender => ({
  run: async (count) => {
    const seconds = [];
    for (let i = 0; i < count; i++) {
      optimizer.set("matrix", { orthogonalize: true }, "*");
      const { phases } = await optimizer.step(gradients, 1);
      seconds.push(phases.filter(({ phase }) => phase === "orthogonalize").reduce((sum, phase) => sum + phase.seconds, 0));
    }
    return seconds;
  },
});

export async function optimizerRows(bench: Bench): Promise<void> {
  await stateRows(bench);
  const shapes = matrices(bench.size);
  const weights = tensors(shapes);
  await withOptimizer(bench, MUON, weights, (direct) =>
    withOptimizer(bench, MUON, weights, (muon) =>
      withOptimizer(bench, NORMUON, weights, (normuon) =>
        withOptimizer(bench, { ...MUON, knobs: { ...MUON.knobs, orthogonalize: false } }, weights, async (without) => {
          const newtonSchulz = orthogonalizing(direct, weights);
          const steps = [muon, normuon, without].map((optimizer) => launched(optimizer, weights));
          for (const each of [newtonSchulz, ...steps]) await each.run(2);
          await besidePyTorch(bench, newtonSchulz, shapes);
          const [own, plain, full, rest] = await alternate([newtonSchulz, ...steps], TURNS, EACH);
          const set = `matrices of ${bench.size.name}, bf16`;
          bench.table.ratio(`what NorMuon adds to a step of Muon ÷ Newton–Schulz, ${set}`, full! - plain!, own!, "≤ 0.15", "ms");
          bench.table.ratio(`a step of NorMuon ÷ one of Muon without statistics, ${set}`, full!, plain!, "", "ms");
          // Beside the phase, which waits for the host between its launches, the same from outside.
          bench.table.ratio(`Newton–Schulz as phase ÷ as a step's difference with and without it, ${set}`, own!, plain! - rest!, "", "ms");
        }),
      ),
    ),
  );
}

async function besidePyTorch({ torch, table, size }: Bench, ours: Contender, shapes: [number, number][]): Promise<void> {
  for (const [form, name, goal] of [
    ["stacked", "strided-batched cuBLAS in plain form, one CUDA graph", "≤ 0.85"],
    ["loop", "PyTorch's function, matrix by matrix", "≤ 0.35"],
  ] as const) {
    const measure = `Newton–Schulz, matrices of ${size.name}, bf16, 5 steps ÷ ${name}`;
    if ("reason" in torch) {
      table.skip(measure, torch.reason);
      continue;
    }
    try {
      const theirs = await torch.contender({ newtonSchulz: form, shapes });
      await theirs.run(3);
      const [own, other] = await alternate([ours, theirs], TURNS, EACH);
      table.ratio(measure, own!, other!, goal, "ms");
    } catch (error) {
      table.skip(measure, (error as Error).message);
    }
  }
}

/** Of one layer: the ratio is the same for any number of them. */
async function stateRows(bench: Bench): Promise<void> {
  const weights = tensors(matrices({ ...bench.size, model: { ...bench.size.model, layers: 1 } }));
  const bytes = (which: { preset: string; knobs: KnobValues }): Promise<number> =>
    withOptimizer(bench, which, weights, async (optimizer) => {
      await optimizer.step(weights, 1);
      return optimizer.stateNames().reduce((sum, name) => sum + optimizer.state(name).byteLength, 0);
    });
  const [normuon, muon, adamw] = [await bytes(NORMUON), await bytes(MUON), await bytes({ preset: "adamw", knobs: {} })];
  const of = "optimizer state of the matrices, one layer";
  bench.table.ratio(`${of}, NorMuon ÷ Muon`, normuon, muon, "≤ 1.01", "bytes");
  bench.table.ratio(`${of}, NorMuon ÷ AdamW`, normuon, adamw, "≤ 0.55", "bytes");
}
