/** The training loop around a fake engine: log, orders, trouble. */
import assert from "node:assert/strict";
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { RunJson } from "../../extension/protocol/runFolder";
import { order } from "../../extension/runs/order";
import type { EngineConfig } from "../../extension/trainer/addon";
import { memory } from "./fakeAddon";
import { smallDisk, until } from "./folders";
import { begin, eventOf, eventsOf, read, resume, small, valuesOf } from "./runs";

describe("a run", () => {
  it("leaves a folder that tells all of it", async (t) => {
    const { folder, done } = await begin(t);
    await done;
    const run = JSON.parse(readFileSync(join(folder, "run.json"), "utf8")) as RunJson;
    assert.deepEqual([run.format, run.name, run.backend.id, run.data.vocabulary, run.parameters.length], [1, "run", "fake", 256, 3]);
    assert.deepEqual([run.backend, run.memory], [{ id: "fake", detail: "a fake" }, memory]);
    assert.deepEqual(
      run.knobs.map(({ id }) => id),
      ["lr", "weightDecay", "normalize", "scale"],
      "live ones only",
    );
    assert.deepEqual(
      readdirSync(folder)
        .filter((name) => !name.startsWith("events.out."))
        .sort(),
      ["checkpoints", "control.jsonl", "events.jsonl", "run.json"],
    );
    assert.deepEqual(
      eventsOf(folder).map(({ type, step }) => [type, step]),
      [
        ["started", 0],
        ["checkpoint", 10],
        ["checkpoint", 20],
        ["checkpoint", 30],
        ["checkpoint", 40],
        ["finished", 40],
      ],
    );
    const reader = await read(folder);
    assert.deepEqual(reader.warnings, []);
    assert.deepEqual(
      [...reader.series("loss/train")!.steps],
      Array.from({ length: 40 }, (_, i) => i + 1),
    );
    assert.deepEqual([...reader.series("loss/val")!.steps], [0, 10, 20, 30, 40]);
    assert.deepEqual([...reader.series("shard/bytes/rank0")!.steps], [1, 11, 21, 31]);
    assert.deepEqual([...reader.series("memory/peak_rss")!.steps], [10, 20, 30, 40]);
    const lr = reader.series("optimizer/lr")!.values;
    assert.ok(Math.abs(lr[0]! - 0.01 / 5) < 1e-9 && Math.abs(lr[10]! - 0.01) < 1e-9 && lr[39]! < 0.001);
    assert.equal(reader.series("condition_number/update/blocks.1.mlp.up")!.values[0], Infinity);
    assert.deepEqual([...reader.histogram("neuron_norm/update/blocks.0.mlp.up", 40)!.counts], [0, 3, 5, 0]);
    const { status, step, steps, loss } = reader.state();
    assert.deepEqual([status, step, steps, loss], ["finished", 40, 40, reader.series("loss/train")!.values[39]]);
  });

  it("asks the engine for what its spec says, and for the phases of every tenth step", async (t) => {
    const asked: EngineConfig[] = [];
    const phases: number[] = [];
    const backends = [{ id: "fake", available: true, detail: "a fake", devices: ["A, 80 GiB", "B, 80 GiB"] }];
    const { folder, done, session } = await begin(
      t,
      { device: 1, precision: "tf32", model: { ...small.model, recompute: true } },
      {
        backends,
        onCreate: (config) => void asked.push(config),
        onStep: (step, options) => void (options.phases && phases.push(step)),
      },
    );
    await done;
    const [{ backend, devices, precision, model }] = asked as [EngineConfig];
    assert.deepEqual([backend, devices, precision, model.recompute], ["fake", [1], "tf32", true]);
    assert.deepEqual([session.devices, session.run.backend.device], [["B, 80 GiB"], "B, 80 GiB"]);
    assert.deepEqual(phases, [1, 11, 21, 31]);
    assert.deepEqual([...(await read(folder)).series("time/optimizer/apply")!.steps], phases);
  });

  it("pads GPT-2's vocabulary, as is usual, and goes on with the one that it began with", async (t) => {
    const asked: EngineConfig[] = [];
    const hooks = { onCreate: (config: EngineConfig) => void asked.push(config) };
    const first = await begin(t, { steps: 3, data: { files: ["text.txt"], tokenizer: "gpt2" } }, hooks);
    await first.done;
    const path = join(first.folder, "run.json");
    const run = JSON.parse(readFileSync(path, "utf8")) as RunJson;
    const embed = { name: "embed", rows: 50257, cols: 2, group: "auxiliary" };
    writeFileSync(path, JSON.stringify({ ...run, spec: { ...run.spec, steps: 4 }, parameters: [embed, ...run.parameters] }));
    await (
      await resume(first.folder, hooks)
    ).done;
    assert.deepEqual(
      asked.map(({ model }) => model.vocabulary),
      [50304, 50257],
    );
    assert.equal(run.data.vocabulary, 50257);
  });

  it("measures nothing without a budget, and everything when asked", async (t) => {
    const requests: number[] = [];
    const running = await begin(
      t,
      { steps: 200, diagnostics: { budget: 0 } },
      { milliseconds: 2, onStep: (_, { measure }) => void requests.push(measure.length) },
    );
    const id = await order(running.folder, { do: "measure" });
    const applied = await eventOf(running, "applied", (event) => event.order === id);
    await order(running.folder, { do: "stop" });
    await running.done;
    assert.equal(requests[applied.step - 1], 4);
    assert.equal(
      requests.reduce((sum, count) => sum + count, 0),
      4,
    );
  });
});

describe("orders to a run", () => {
  it("take effect at the step that is told, with the values before", async (t) => {
    const scales: number[] = [];
    const running = await begin(
      t,
      { steps: 500, schedule: { warmup: 0, shape: "constant" } },
      { milliseconds: 2, onStep: (_, { lrScale }) => void scales.push(lrScale) },
    );
    const factor = await order(running.folder, { set: { lrFactor: 0.5 } });
    const first = await eventOf(running, "applied", (event) => event.order === factor);
    const knobs = await order(running.folder, { set: { normalize: false, "auxiliary.lr": 0.5 }, scope: "*" });
    const second = await eventOf(running, "applied", (event) => event.order === knobs);
    const scoped = await order(running.folder, { set: { lr: 0.7 }, scope: "blocks.1.*" });
    const third = await eventOf(running, "applied", (event) => event.order === scoped);
    assert.equal(running.session.engine.values("blocks.0.mlp.up")["normalize"], false);
    assert.deepEqual(
      ["blocks.0.mlp.up", "blocks.1.mlp.up", "head"].map((name) => running.session.engine.values(name)["lr"]),
      [0.01, 0.7, 0.5],
    );
    await order(running.folder, { do: "stop" });
    await running.done;
    assert.deepEqual([first.set, first.before], [{ lrFactor: 0.5 }, { lrFactor: 1 }]);
    assert.deepEqual(scales.slice(0, first.step + 1), [...new Array<number>(first.step - 1).fill(1), 0.5, 0.5]);
    assert.deepEqual(second.before, { normalize: true, "auxiliary.lr": 0.01 });
    assert.deepEqual([third.before, third.scope], [{ lr: 0.01 }, "blocks.1.*"]);
    assert.equal(eventsOf(running.folder).at(-1)!.type, "stopped");
  });

  it("pause it at the end of the step, step it once, and let it go on", async (t) => {
    let control = "";
    // Given while step 20 is being made.
    const onStep = (step: number): undefined => {
      if (step === 20) appendFileSync(control, '{"id":"p","do":"pause"}\n');
    };
    const running = await begin(t, { steps: 60 }, { onStep, milliseconds: 2 });
    const { folder } = running;
    control = join(folder, "control.jsonl");
    const paused = await eventOf(running, "paused");
    assert.equal(paused.step, 20);
    await new Promise((resolve) => setTimeout(resolve, 350));
    assert.equal((await read(folder)).state().step, 20);
    assert.equal((await read(folder)).state().status, "paused");

    const one = await order(folder, { do: "step" });
    assert.equal((await eventOf(running, "applied", (event) => event.order === one)).step, paused.step + 1);
    await until("the step", async () => (await read(folder)).state().step === 21);
    await order(folder, { do: "checkpoint" });
    const saved = await eventOf(running, "checkpoint", (event) => event.step === paused.step + 1);
    assert.equal(saved.file, join("checkpoints", `step-${String(saved.step).padStart(8, "0")}.safetensors`));
    await order(folder, { do: "resume" });
    await running.done;
    assert.equal((await read(folder)).state().status, "finished");
  });

  it("a step ordered while it runs pauses it", async (t) => {
    const running = await begin(t, { steps: 500 }, { milliseconds: 3 });
    await order(running.folder, { do: "step" });
    assert.equal((await eventOf(running, "paused")).reason, "after a single step");
    await order(running.folder, { do: "stop" });
    await running.done;
  });

  it("that are wrong are refused with the reason and change nothing", async (t) => {
    const running = await begin(t, { steps: 500 }, { milliseconds: 2 });
    appendFileSync(join(running.folder, "control.jsonl"), 'not json\n{"id":"a","set":{"lr":-1}}\n\n{"id":"b","do":"dance"}\n{"id":"c","se');
    await eventOf(running, "refused", ({ order: id }) => id === "b");
    appendFileSync(join(running.folder, "control.jsonl"), 't":{"normalize":false,"lr":"x"}}\n');
    await eventOf(running, "refused", ({ order: id }) => id === "c");
    assert.deepEqual(running.session.engine.values("blocks.0.mlp.up"), {
      lr: 0.01,
      weightDecay: 0.1,
      normalize: true,
      scale: "paper",
      axis: "rows",
    });
    await order(running.folder, { do: "stop" });
    await running.done;
    const refused = eventsOf(running.folder).flatMap((event) => (event.type === "refused" ? [[event.order, event.reason]] : []));
    assert.deepEqual(
      refused.map(([id]) => id),
      ["", "a", "b", "c"],
    );
    assert.match(refused[1]![1]!, /lr: expected a number of at least 0, received -1/);
  });
});

describe("trouble", () => {
  it("a step that is not finite is not applied: an alert, a pause, and the next batch on resume", async (t) => {
    let attempts = 0;
    const onStep = (step: number): string | undefined =>
      step === 15 && ++attempts <= 2 ? (attempts === 1 ? "loss" : "blocks.0.mlp.up") : undefined;
    const running = await begin(t, { steps: 30 }, { onStep });
    const { folder, session } = running;
    const alert = await eventOf(running, "alert");
    assert.match(alert.message, /^Step 15 was not applied: the loss is NaN\. Lower the learning rate/);
    assert.equal((await eventOf(running, "paused")).step, 14);
    const position = session.batches.position;
    await order(folder, { do: "resume" });
    await eventOf(running, "alert", ({ message }) => message.includes("the gradient of blocks.0.mlp.up is not finite"));
    assert.equal(session.batches.position, position + 4);
    await order(folder, { do: "resume" });
    await running.done;
    assert.deepEqual(
      (await valuesOf(folder, "loss/train")).map(([step]) => step),
      Array.from({ length: 30 }, (_, i) => i + 1),
    );
    assert.equal((await read(folder)).state().status, "finished");
  });

  it("an engine that fails ends the run, and the folder says why", async (t) => {
    const onStep = (step: number): undefined => {
      if (step === 8) throw new Error("out of memory");
    };
    const running = await begin(t, {}, { onStep });
    await assert.rejects(running.done, /out of memory/);
    const { status, reason, step } = (await read(running.folder)).state();
    assert.deepEqual([status, reason, step], ["failed", "out of memory", 7]);
  });

  it("a full disk pauses the run; nothing is lost once there is room", async (t) => {
    const place = smallDisk(t, 256);
    if (place === undefined) return;
    const running = await begin(t, { steps: 100_000, checkpoints: { every: 0 } }, { milliseconds: 5 }, undefined, place);
    const filler = join(place, "filler");
    assert.throws(() => writeFileSync(filler, new Uint8Array(1 << 20)), /ENOSPC/);
    await until("the disk to be full", () => running.said.some((line) => /cannot be written to \(ENOSPC.*Free space/.test(line)));
    const step = running.session.batches.position;
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(running.session.batches.position, step, "it waits");
    rmSync(filler);
    await eventOf(running, "resumed");
    await order(running.folder, { do: "stop" });
    await running.done;
    const reader = await read(running.folder);
    assert.deepEqual(reader.warnings, []);
    const steps = reader.series("loss/train")!.steps;
    assert.deepEqual(
      [...steps],
      Array.from({ length: reader.events.at(-1)!.step }, (_, i) => i + 1),
    );
    const types = reader.events.map(({ type }) => type);
    assert.deepEqual(types, ["started", "alert", "paused", "resumed", "applied", "checkpoint", "stopped"]);
  });

  it("a checkpoint that cannot be written is said, and the run goes on", async (t) => {
    let way = "";
    const onStep = (step: number): undefined => {
      if (step === 12) rmSync(way);
    };
    const running = await begin(t, { steps: 15, checkpoints: { every: 5 } }, { milliseconds: 5, onStep });
    way = join(running.folder, "checkpoints");
    writeFileSync(way, "in the way");
    await running.done;
    const alerts = eventsOf(running.folder).filter(({ type }) => type === "alert");
    assert.equal(alerts.length, 2);
    assert.match(
      JSON.stringify(alerts[0]),
      /The checkpoint of step 5 could not be written: .*checkpoints: expected a folder of the run's own, found a file\./,
    );
    assert.equal((await read(running.folder)).state().status, "finished");
  });

  it("what the engine says of a checkpoint that it cannot give is not taken for a matter of space", async (t) => {
    const onSave = (step: number): void => {
      if (step === 5) throw new Error("CUDA answered: out of memory. Close what else uses it.");
    };
    const running = await begin(t, { steps: 10, checkpoints: { every: 5 } }, { onSave });
    await running.done;
    const alerts = eventsOf(running.folder).filter(({ type }) => type === "alert");
    assert.deepEqual(
      alerts.map((event) => event.type === "alert" && event.message),
      ["The checkpoint of step 5 could not be written: CUDA answered: out of memory. Close what else uses it."],
    );
    assert.equal((await read(running.folder)).state().status, "finished");
  });
});
