/** Whole training steps and bare optimizer steps beside PyTorch's. */
import type { Addon, NamedTensor } from "../../extension/trainer/addon";
import { compare, type Contender, print } from "./measure";
import type { TorchWorker } from "./torchWorker";

interface Model {
  vocabulary: number;
  width: number;
  layers: number;
  heads: number;
  batch: number;
  time: number;
}

const MODELS: Record<string, Model> = {
  "1 M": { vocabulary: 256, width: 128, layers: 4, heads: 4, batch: 8, time: 64 },
  "5 M": { vocabulary: 1024, width: 256, layers: 6, heads: 4, batch: 8, time: 128 },
};

const matrices = (width: number, layers: number): [number, number][] =>
  Array.from({ length: layers }, (): [number, number][] => [
    [3 * width, width],
    [width, width],
    [4 * width, width],
    [width, 4 * width],
  ]).flat();

export async function trainingSteps(addon: Addon, torch: TorchWorker): Promise<void> {
  for (const [size, model] of Object.entries(MODELS))
    for (const preset of ["adamw", "normuon"]) {
      const engine = await addon.createEngine({
        backend: "cpu",
        threads: 0,
        devices: [0],
        precision: "fp32",
        seed: 1,
        model: { ...model, context: model.time, zeroProjections: false, recompute: false },
        batch: model.batch,
        preset,
        optimizer: { lr: 1e-4 },
        auxiliary: { lr: 1e-4 },
        ranks: 1,
      });
      const tokens = Int32Array.from({ length: model.batch * (model.time + 1) }, (_, i) => (i * 7919) % model.vocabulary);
      const ours: Contender = {
        run: async (count) => {
          const seconds = [];
          for (let i = 0; i < count; i++) {
            const start = performance.now();
            await engine.step(tokens, { lrScale: 1, clip: 0, measure: [], phases: false });
            seconds.push((performance.now() - start) / 1e3);
          }
          return seconds;
        },
      };
      await ours.run(3);
      await torch.prepare({ model, optimizer: preset });
      print(await compare(`step, ${size} parameters, ${preset} ÷ PyTorch eager fp32`, ours, torch, 1, 6, size === "1 M" ? 30 : 8));
      engine.dispose();
    }
}

export async function optimizerSteps(addon: Addon, torch: TorchWorker): Promise<void> {
  const sets = [
    { name: "the 1 M model", shapes: matrices(128, 4), goal: 0.5, turns: 8, each: 10 },
    { name: "GPT-2 124M (fp32 ÷ its bf16)", shapes: matrices(768, 12), goal: 1.6, turns: 5, each: 1 },
  ];
  for (const { name, shapes, goal, turns, each } of sets) {
    const random = (seed: number): NamedTensor[] =>
      shapes.map(([rows, cols], i) => ({
        name: `m${i}`,
        shape: [rows, cols],
        data: Float32Array.from({ length: rows * cols }, (_, j) => Math.sin((j + 1) * (i + seed) * 12.9898) % 1),
      }));
    const optimizer = await addon.createOptimizer({
      backend: "cpu",
      threads: 0,
      devices: [0],
      precision: "fp32",
      preset: "normuon",
      optimizer: { lr: 1e-4 },
      auxiliary: {},
      ranks: 1,
      parameters: random(1).map((tensor) => ({ ...tensor, group: "matrix" as const })),
    });
    const gradients = random(2);
    const ours: Contender = {
      run: async (count) => {
        const seconds = [];
        for (let i = 0; i < count; i++) seconds.push((await optimizer.step(gradients, 1)).seconds);
        return seconds;
      },
    };
    await ours.run(1);
    await torch.prepare({ muon: shapes });
    print(await compare(`NorMuon step ÷ torch.optim.Muon, ${name}`, ours, torch, goal, turns, each));
    optimizer.dispose();
  }
}
