/**
 * The engine on a GPU, through the addon, against the CPU. `npm test` runs it over the stand-in for the CUDA runtime that lies
 * beside this bundle; `npm run gpu-check` on a real device.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loadAddon, type Engine, type EngineConfig, type StepOptions } from "../../extension/trainer/addon";

const addon = loadAddon();
const VOCABULARY = 64;

function config(change: Partial<EngineConfig> = {}): EngineConfig {
  const { optimizer, ...rest } = change;
  return {
    backend: "cuda",
    threads: 0,
    devices: [0],
    precision: "fp32",
    seed: 5,
    model: { vocabulary: VOCABULARY, layers: 2, width: 32, heads: 2, context: 24, zeroProjections: true, recompute: false },
    batch: 2,
    preset: "normuon",
    optimizer: optimizer ?? {},
    auxiliary: {},
    ranks: 1,
    ...rest,
  };
}

/** Two micro-batches of text with a pattern in it, another one each step. */
function tokens(step: number): Int32Array {
  const ids = new Int32Array(2 * 2 * 25);
  for (let i = 0; i < ids.length; i++) ids[i] = ((i * 7 + Math.floor(i / 5) * step) % 23) + (i % 3);
  return ids;
}

const options = (step: number, change: Partial<StepOptions> = {}): StepOptions => ({
  lrScale: 1 / (1 + step / 10),
  clip: 1,
  measure: [],
  phases: step % 4 === 0,
  ...change,
});

async function losses(engine: Engine, from: number, to: number): Promise<number[]> {
  const all: number[] = [];
  for (let step = from; step < to; step++) {
    const result = await engine.step(tokens(step), options(step));
    assert.ok(result.applied);
    all.push(result.loss);
  }
  return all;
}

async function withEngine<T>(change: Partial<EngineConfig>, work: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = await addon.createEngine(config(change));
  try {
    return await work(engine);
  } finally {
    engine.dispose();
  }
}

function assertClose(a: readonly number[], b: readonly number[], tolerance: number): void {
  assert.equal(a.length, b.length);
  a.forEach((x, i) => assert.ok(Math.abs(x - b[i]!) <= tolerance, `step ${i}: ${x} and ${b[i]} differ by more than ${tolerance}`));
}

const STEPS = 12;

void describe("an engine on CUDA", () => {
  void it("is offered with its devices", () => {
    const cuda = addon.backends().find(({ id }) => id === "cuda");
    assert.ok(cuda?.available, cuda?.detail);
    assert.ok(cuda.devices.length >= 1);
    assert.match(cuda.devices[0]!, /GiB/);
  });

  for (const preset of ["normuon", "normuon-speedrun", "muon", "adamw"])
    void it(`${preset}: losses follow the CPU's, in fp32 closely and in bf16 within its rounding`, async () => {
      const run = (change: Partial<EngineConfig>): Promise<number[]> =>
        withEngine({ preset, ...change }, (engine) => losses(engine, 0, STEPS));
      const cpu = await run({ backend: "cpu" });
      assert.ok(cpu.at(-1)! < cpu[0]! - 0.1, "it learns");
      // Differences of 1e-7 in the first steps grow from step to step.
      assertClose(await run({}), cpu, 1e-3);
      // bf16 has 8 bits: 2^-9 of logits of a few units, and their effect on the training.
      assertClose(await run({ precision: "bf16" }), cpu, 0.05);
    });

  void it("gradients are the CPU's", async () => {
    const change: Partial<EngineConfig> = { model: { ...config().model, zeroProjections: false } };
    const gradients = (backend: string) => withEngine({ ...change, backend }, (engine) => engine.gradients(tokens(1)));
    const [cuda, cpu] = [await gradients("cuda"), await gradients("cpu")];
    cuda.tensors.forEach((tensor, index) => {
      const expected = cpu.tensors[index]!.data;
      const difference = Math.hypot(...tensor.data.map((x, i) => x - expected[i]!));
      assert.ok(difference <= 1e-5 * Math.hypot(...expected), `${tensor.name}: ${difference / Math.hypot(...expected)}`);
    });
  });

  void it("any number of ranks gives the same weights", async () => {
    const weights = (ranks: number) =>
      withEngine({ ranks }, async (engine) => {
        await losses(engine, 0, 4);
        return (await engine.save()).tensors.filter(({ name }) => name.startsWith("weight."));
      });
    const one = await weights(1);
    for (const ranks of [2, 8])
      (await weights(ranks)).forEach((tensor, index) => {
        const expected = one[index]!.data;
        const difference = Math.hypot(...tensor.data.map((x, i) => x - expected[i]!));
        assert.ok(difference <= 1e-4 * Math.hypot(...expected), `${ranks} ranks, ${tensor.name}: ${difference}`);
      });
  });

  for (const precision of ["fp32", "bf16"])
    void it(`${precision}: a run resumed from a checkpoint goes on bit by bit`, async () => {
      const half = STEPS / 2;
      const { straight, checkpoint } = await withEngine({ precision }, async (engine) => {
        await losses(engine, 0, half);
        const saved = await engine.save();
        return { checkpoint: saved, straight: await losses(engine, half, STEPS) };
      });
      const resumed = await withEngine({ precision, seed: 9 }, async (engine) => {
        await engine.load(checkpoint.step, checkpoint.tensors);
        return losses(engine, half, STEPS);
      });
      assert.deepEqual(resumed, straight);
    });

  void it("recomputed activations change nothing but the memory", async () => {
    const run = (recompute: boolean) =>
      withEngine({ model: { ...config().model, recompute }, precision: "bf16" }, async (engine) => ({
        all: await losses(engine, 0, 4),
        memory: engine.memory,
      }));
    const [kept, again] = [await run(false), await run(true)];
    assert.deepEqual(again.all, kept.all);
    assert.ok(again.memory.activations < kept.memory.activations);
  });

  void it("measures at the taps what the CPU measures", async () => {
    const channels = ["condition_number", "update_rms", "stable_rank"];
    const measure = channels.map((channel) => ({ channel, tap: "update", tensor: "blocks.1.mlp.up" }));
    const values = (backend: string) =>
      withEngine({ backend }, async (engine) => {
        await losses(engine, 0, 2);
        const { measurements } = await engine.step(tokens(2), options(2, { measure }));
        const all = [...measurements, ...(await engine.measured())];
        assert.deepEqual(
          all.map(({ channel, step }) => [channel, step]),
          channels.map((channel) => [channel, 3]),
        );
        return all.map((each) => each.values[0]!);
      });
    const [cuda, cpu] = [await values("cuda"), await values("cpu")];
    cuda.forEach((value, i) => assert.ok(Math.abs(value / cpu[i]! - 1) < 1e-3, `${channels[i]}: ${value} and ${cpu[i]}`));
  });

  void it("a knob that changes takes effect at the next step", async () => {
    const run = (backend: string) =>
      withEngine({ backend }, async (engine) => {
        const before = await losses(engine, 1, 4);
        engine.set("matrix", { normalize: false, nesterov: true, newtonSchulz: "polar-express" }, "*");
        return [...before, ...(await losses(engine, 5, 8))];
      });
    assertClose(await run("cuda"), await run("cpu"), 1e-3);
  });

  void it("what cannot be is refused with what there is", async () => {
    await assert.rejects(addon.createEngine(config({ devices: [99] })), /device/);
    await assert.rejects(addon.createEngine(config({ precision: "fp8" })), /precision/);
    await assert.rejects(addon.createEngine(config({ backend: "cpu", precision: "bf16" })), /expected "fp32" or "auto" on the CPU/);
    const model = { ...config().model, width: 65536, layers: 1000 };
    await assert.rejects(
      addon.createEngine(config({ model })),
      /the run does not fit into memory: it needs \d+\.\d\d GiB \(weights .* GiB are free on/,
    );
  });
});
