/** Arithmetic of comparing runs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RunEvent } from "../../extension/protocol/runFolder";
import type { Series } from "../../extension/protocol/series";
import { atOrBefore, differences, toTarget, trainingSeconds } from "../../extension/runs/compare";
import { resolveSpec } from "../../extension/runs/spec";
import { description } from "./fakeAddon";

const spec = (json: object) => {
  const resolved = resolveSpec({ data: { files: ["a.txt"] }, ...json }, description, { file: "/x/run.muonscope.json" });
  assert.ok("spec" in resolved, JSON.stringify(resolved));
  return resolved.spec;
};

describe("differences", () => {
  it("lists what differs and nothing else", () => {
    const specs = [
      spec({ steps: 5 }),
      spec({ steps: 5, optimizer: { lr: 0.5 }, name: "b" }),
      spec({ steps: 5, optimizer: { preset: "adamw" } }),
    ];
    assert.deepEqual(differences(specs), [
      { key: "name", values: ["run", "b", "run"] },
      { key: "preset", values: ["normuon", "normuon", "adamw"] },
      { key: "optimizer.lr", values: ["0.01", "0.5", "0.003"] },
      { key: "optimizer.normalize", values: ["true", "true", undefined] },
      { key: "optimizer.scale", values: ["paper", "paper", undefined] },
      { key: "optimizer.axis", values: ["rows", "rows", undefined] },
    ]);
    assert.deepEqual(differences([specs[0], specs[0]]), []);
  });
  it("takes a run without a spec as one without keys", () => {
    const found = differences([spec({}), undefined]);
    assert.deepEqual(found.find(({ key }) => key === "model.width")?.values, ["128", undefined]);
  });
});

describe("distance to a target loss", () => {
  const loss: Series = {
    steps: Float64Array.of(0, 10, 20, 30),
    values: Float64Array.of(5, 3, NaN, 2),
    times: Float64Array.of(100, 110, 120, 130),
  };
  const seconds = Float64Array.of(0, 10, 20, 30);
  it("is the first point at or below it", () => {
    assert.deepEqual(toTarget(loss, seconds, 3, 64), { reached: true, step: 10, seconds: 10, tokens: 640 });
    assert.deepEqual(toTarget(loss, seconds, 2.9, null), { reached: true, step: 30, seconds: 30, tokens: null });
  });
  it("is said not to be reached, with the best so far", () => {
    assert.deepEqual(toTarget(loss, seconds, 1, 64), { reached: false, best: 2 });
    const nothing = new Float64Array();
    assert.deepEqual(toTarget({ steps: nothing, values: nothing, times: nothing }, nothing, 1, 64), { reached: false, best: null });
  });
});

describe("time of training", () => {
  const at = (seconds: number): string => new Date(seconds * 1000).toISOString();
  const started = (seconds: number): RunEvent => ({
    type: "started",
    time: at(seconds),
    step: 0,
    pid: 1,
    host: "h",
    processStart: "",
    resumedFrom: null,
  });
  it("counts from the start", () => {
    assert.deepEqual([...trainingSeconds(Float64Array.of(100, 105), [started(90)])], [10, 15]);
    assert.deepEqual([...trainingSeconds(Float64Array.of(100, 105), [])], [0, 5]);
  });
  it("leaves pauses, stops and the time after a crash out", () => {
    const events: RunEvent[] = [
      started(0),
      { type: "paused", time: at(10), step: 1, reason: "" },
      { type: "resumed", time: at(20), step: 1 },
      // Killed after its last point at 30, gone on with at 100.
      started(100),
      { type: "stopped", time: at(110), step: 3, reason: "", checkpoint: null },
      started(200),
    ];
    const times = Float64Array.of(5, 10, 15, 25, 30, 105, 110, 150, 205);
    assert.deepEqual([...trainingSeconds(times, events)], [5, 10, 10, 15, 20, 25, 30, 30, 35]);
  });
});

describe("the same step", () => {
  it("is the one at or before", () => {
    const steps = Float64Array.of(1, 50, 100);
    assert.deepEqual(
      [0, 1, 49, 50, 99, 1000].map((step) => atOrBefore(steps, step)),
      [undefined, 0, 0, 1, 1, 2],
    );
  });
});
