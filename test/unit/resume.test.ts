/** Runs that go on: identical to a straight run, orders obeyed once, what is superseded not shown. */
import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { RunJson } from "../../extension/protocol/runFolder";
import { order } from "../../extension/runs/order";
import type { EngineConfig } from "../../extension/trainer/addon";
import { until } from "./folders";
import { begin, eventOf, eventsOf, read, resume, text, valuesOf } from "./runs";

const started = (folder: string) =>
  eventsOf(folder).flatMap((event) => (event.type === "started" ? [[event.step, event.resumedFrom]] : []));

describe("a run that goes on", () => {
  it("has the losses of a straight run, changes by orders included", async (t) => {
    const straight = await begin(t);
    await straight.done;
    const wanted = await valuesOf(straight.folder, "loss/train");

    const first = await begin(t, {}, { milliseconds: 2 });
    await eventOf(first, "checkpoint");
    await order(first.folder, { do: "stop" });
    await first.done;
    const stopped = eventsOf(first.folder).at(-1)!;
    assert.ok(stopped.type === "stopped" && stopped.reason === "ordered" && stopped.checkpoint !== null);
    await (
      await resume(first.folder)
    ).done;
    assert.deepEqual(await valuesOf(first.folder, "loss/train"), wanted);
    assert.deepEqual(started(first.folder), [
      [0, null],
      [stopped.step, stopped.checkpoint],
    ]);
    assert.equal((await read(first.folder)).state().status, "finished");
  });

  it("keeps what orders changed before its checkpoint, obeys none twice, and says which do not hold", async (t) => {
    const running = await begin(t, { steps: 400, checkpoints: { every: 0 } }, { milliseconds: 2 });
    const { folder } = running;
    await order(folder, { set: { lr: 0.5, lrFactor: 0.25 }, scope: "*" });
    await eventOf(running, "applied");
    await order(folder, { do: "checkpoint" });
    const saved = await eventOf(running, "checkpoint");
    const later = await order(folder, { set: { lr: 0.9 } });
    await eventOf(running, "applied", (event) => event.order === later);
    cpSync(folder, `${folder}-killed`, { recursive: true }); // as a kill would leave it
    await order(folder, { do: "stop" });
    await running.done;

    const killed = `${folder}-killed`;
    rmSync(join(killed, "trainer.lock"));
    await order(killed, { do: "stop" });
    await order(killed, { set: { normalize: false } });
    const resumed = await resume(killed, { milliseconds: 2 });
    const { engine, steering } = resumed.session;
    assert.deepEqual([engine.values("blocks.0.mlp.up")["lr"], steering.lrFactor], [0.5, 0.25]);
    assert.equal(engine.values("blocks.0.mlp.up")["normalize"], false, "set while nobody listened");
    const refused = await eventOf(resumed, "refused");
    assert.match(refused.reason, /given before the run was resumed/);
    const alert = await eventOf(resumed, "alert");
    assert.match(
      alert.message,
      new RegExp(`goes on from step ${saved.step}; what was changed after its checkpoint does not hold: \\{"lr":0\\.9\\} at step`),
    );
    await order(killed, { do: "stop" });
    await resumed.done;
    assert.equal(eventsOf(killed).filter(({ type }) => type === "applied").length, 5, "lr, checkpoint, lr; then normalize and stop");
  });

  it("shows nothing of what came after the checkpoint it goes on from", async (t) => {
    const running = await begin(t, { steps: 35 });
    await running.done;
    for (const step of [20, 30, 35]) rmSync(join(running.folder, "checkpoints", `step-000000${step}.safetensors`));
    const before = await read(running.folder);
    const cursor = before.points("loss/train", undefined)!.cursor;
    const resumed = await resume(running.folder, { milliseconds: 20 });
    await eventOf(resumed, "started", ({ resumedFrom }) => resumedFrom !== null);
    await until("new values", async () => (await before.poll()) && before.series("loss/train")!.steps.length < 35);
    const increment = before.points("loss/train", cursor)!;
    assert.equal(increment.reset, true, "a panel is told to begin anew");
    assert.ok(increment.added.steps.length < 35 && increment.added.steps.length >= 10);
    assert.ok(before.series("loss/val")!.steps.every((step) => step <= 10));
    await order(running.folder, { do: "stop" });
    await resumed.done;
  });

  it("goes on after an older version, which knew fewer settings", async (t) => {
    const first = await begin(t, {}, { milliseconds: 2 });
    await eventOf(first, "checkpoint");
    await order(first.folder, { do: "stop" });
    await first.done;
    const path = join(first.folder, "run.json");
    const { memory: _memory, ...run } = JSON.parse(readFileSync(path, "utf8")) as RunJson;
    const { device: _device, precision: _precision, model, ...spec } = run.spec;
    const { recompute: _recompute, ...olderModel } = model;
    writeFileSync(path, JSON.stringify({ ...run, spec: { ...spec, model: olderModel } }));
    assert.deepEqual((await read(first.folder)).run!.spec, run.spec);

    const asked: EngineConfig[] = [];
    const resumed = await resume(first.folder, { onCreate: (config) => void asked.push(config) });
    await resumed.done;
    assert.deepEqual(
      asked.map(({ devices, precision, model: { recompute } }) => [devices, precision, recompute]),
      [[[0], "auto", false]],
    );
    assert.equal((await read(first.folder)).state().status, "finished");
  });

  it("goes on after the device failed, from the checkpoint before", async (t) => {
    const straight = await begin(t);
    await straight.done;
    const message = "CUDA error 700 (cudaErrorIllegalAddress) in step: an illegal memory access was encountered";
    const onStep = (step: number): undefined => {
      if (step === 25) throw new Error(message);
    };
    const failing = await begin(t, {}, { onStep });
    await assert.rejects(failing.done, { message });
    const { status, reason, step } = (await read(failing.folder)).state();
    assert.deepEqual([status, reason, step], ["failed", message, 24]);
    await (
      await resume(failing.folder)
    ).done;
    assert.deepEqual(started(failing.folder)[1], [20, join("checkpoints", "step-00000020.safetensors")]);
    assert.deepEqual(await valuesOf(failing.folder, "loss/train"), await valuesOf(straight.folder, "loss/train"));
    assert.equal((await read(failing.folder)).state().status, "finished");
  });

  it("begins again when there is no checkpoint", async (t) => {
    const running = await begin(t, { checkpoints: { every: 0 } });
    await running.done;
    rmSync(join(running.folder, "checkpoints"), { recursive: true });
    const wanted = await valuesOf(running.folder, "loss/train");
    await (
      await resume(running.folder)
    ).done;
    assert.deepEqual(await valuesOf(running.folder, "loss/train"), wanted);
    assert.deepEqual(
      (await valuesOf(running.folder, "loss/val")).map(([step]) => step),
      [0, 10, 20, 30, 40],
    );
    assert.deepEqual(started(running.folder), [
      [0, null],
      [0, null],
    ]);
  });

  it("passes a damaged checkpoint over, with a word", async (t) => {
    const running = await begin(t);
    await running.done;
    rmSync(join(running.folder, "checkpoints", "step-00000040.safetensors"));
    truncateSync(join(running.folder, "checkpoints", "step-00000030.safetensors"), 100);
    const resumed = await resume(running.folder);
    assert.match((await eventOf(resumed, "alert")).message, /step-00000030\.safetensors cannot be used: the header claims/);
    await resumed.done;
    assert.deepEqual(started(running.folder)[1], [20, join("checkpoints", "step-00000020.safetensors")]);
  });

  it("writes its events below a line that a power cut tore", async (t) => {
    const running = await begin(t);
    await running.done;
    rmSync(join(running.folder, "checkpoints", "step-00000040.safetensors"));
    const path = join(running.folder, "events.jsonl");
    truncateSync(path, readFileSync(path).length - 10);
    await (
      await resume(running.folder)
    ).done;
    const reader = await read(running.folder);
    assert.equal(reader.state().status, "finished");
    assert.equal(reader.events.filter(({ type }) => type === "started").length, 2);
    assert.equal(reader.warnings.length, 1, "the torn line");
  });

  it("says when its data has changed meanwhile", async (t) => {
    const running = await begin(t);
    await running.done;
    rmSync(join(running.folder, "checkpoints", "step-00000040.safetensors"));
    writeFileSync(join(running.folder, "..", "..", "text.txt"), text.slice(100));
    const resumed = await resume(running.folder);
    assert.match((await eventOf(resumed, "alert")).message, /The data has changed since the run began/);
    await resumed.done;
  });

  it("is refused when it is finished, is no run, or belongs to a living trainer", async (t) => {
    const running = await begin(t, { steps: 200 }, { milliseconds: 3 });
    await eventOf(running, "checkpoint");
    await assert.rejects(resume(running.folder), /Another trainer \(process/);
    await order(running.folder, { do: "stop" });
    await running.done;
    const finished = await begin(t);
    await finished.done;
    await assert.rejects(resume(finished.folder), { name: "UserError", message: /the run is finished \(step 40 of 40\)/ });
    await assert.rejects(resume(join(finished.folder, "checkpoints")), {
      name: "UserError",
      message: /expected a run that Muonscope began/,
    });
  });
});

describe("a trainer that vanished", () => {
  it("is told by its process: crashed, with the end of its log", async (t) => {
    const running = await begin(t, { steps: 15 });
    await running.done;
    const events = join(running.folder, "events.jsonl");
    const lines = readFileSync(events, "utf8")
      .split("\n")
      .filter((line) => !line.includes('"finished"'));
    const gone = lines.join("\n").replace(`"pid":${process.pid}`, '"pid":999999999');
    writeFileSync(events, gone);
    writeFileSync(join(running.folder, "trainer.log"), "step 15\nterminate called\n");
    const { status, reason } = (await read(running.folder)).state();
    assert.equal(status, "crashed");
    assert.match(reason!, /gone without a word\. Its log ends:\nstep 15\nterminate called$/);
    writeFileSync(events, gone.replaceAll(`"host":"${hostname()}"`, '"host":"elsewhere"'));
    assert.equal((await read(running.folder)).state().status, "unknown");
  });
});
