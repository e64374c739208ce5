/** What a run's record says of orders: values in force, marks on charts, times. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { RunEvent, RunJson } from "../../extension/protocol/runFolder";
import type { Series } from "../../extension/protocol/series";
import { trainingSeconds } from "../../extension/runs/compare";
import { controlsOf, history } from "../../extension/ui/knobs";
import { markersOf } from "../../extension/ui/markers";
import { paceOf } from "../../extension/ui/pace";
import { secondsAt } from "../../extension/ui/timeline";
import { description } from "./fakeAddon";

const at = (second: number): string => new Date((1000 + second) * 1000).toISOString();
const started = (second: number, step: number, resumedFrom: string | null): RunEvent => ({
  type: "started",
  time: at(second),
  step,
  pid: 1,
  host: "h",
  processStart: "s",
  resumedFrom,
});
const set = (second: number, step: number, what: Record<string, unknown>, scope?: string): RunEvent => ({
  type: "applied",
  time: at(second),
  step,
  order: `${second}`,
  set: what,
  before: { normalize: true },
  ...(scope && { scope }),
});
const checkpoint = (second: number, step: number): RunEvent => ({
  type: "checkpoint",
  time: at(second),
  step,
  file: `step-${step}`,
  loss: 1,
});

const run = {
  parameters: [
    { name: "embedding", rows: 4, cols: 4, group: "auxiliary" },
    { name: "blocks.0.mlp.up", rows: 4, cols: 4, group: "matrix" },
    { name: "blocks.1.mlp.up", rows: 4, cols: 4, group: "matrix" },
  ],
  knobs: description.knobs.filter(({ live }) => live),
  auxiliaryKnobs: description.auxiliaryKnobs.filter(({ live }) => live),
  spec: { optimizer: { lr: 0.01, normalize: true }, auxiliary: { lr: 0.003 } },
} as unknown as RunJson;

const valuesOf = (events: RunEvent[], knob: string, group: string) =>
  controlsOf(run, events, new Map()).find((control) => control.knob.id === knob && control.group === group)?.values;

describe("knobs in force", () => {
  const begin = started(0, 0, null);
  it("begin as the spec has them", () => {
    assert.deepEqual(valuesOf([begin], "normalize", "matrix"), { "blocks.0.mlp.up": true, "blocks.1.mlp.up": true });
    assert.deepEqual(valuesOf([begin], "lrFactor", "run"), { "": 1 });
    assert.deepEqual(valuesOf([begin], "lr", "auxiliary"), { embedding: 0.003 });
  });
  it("follow orders within their scope and group", () => {
    const events = [begin, set(1, 5, { normalize: false }, "blocks.1.*"), set(2, 6, { "auxiliary.lr": 0.5, lrFactor: 2 })];
    assert.deepEqual(valuesOf(events, "normalize", "matrix"), { "blocks.0.mlp.up": true, "blocks.1.mlp.up": false });
    assert.deepEqual(valuesOf(events, "lr", "matrix"), { "blocks.0.mlp.up": 0.01, "blocks.1.mlp.up": 0.01 });
    assert.deepEqual(valuesOf(events, "lr", "auxiliary"), { embedding: 0.5 });
    assert.deepEqual(valuesOf(events, "lrFactor", "run"), { "": 2 });
  });
  it("are those of the checkpoint after a restart", () => {
    const events = [begin, set(1, 5, { lrFactor: 2 }), checkpoint(2, 10), set(3, 12, { lrFactor: 3 }), started(9, 10, "step-10")];
    assert.deepEqual(valuesOf(events, "lrFactor", "run"), { "": 2 });
    assert.deepEqual(valuesOf([...events, started(20, 0, null)], "lrFactor", "run"), { "": 1 });
  });
  it("do not hold a knob that the optimizer does not have", () => {
    assert.equal(valuesOf([begin], "orthogonalize", "matrix"), undefined);
  });
});

describe("marks", () => {
  const loss: Series = { steps: Float64Array.of(1, 2, 3, 4), values: new Float64Array(4), times: Float64Array.of(1001, 1002, 1013, 1014) };
  it("say what was changed, from what, where and when in the training", () => {
    const events = [
      started(0, 0, null),
      set(1, 2, { normalize: false }, "*.mlp.up"),
      { type: "applied", time: at(2), step: 3, order: "p", do: "pause" } as RunEvent,
    ];
    assert.deepEqual(markersOf(7, events, loss), [
      { run: 7, step: 2, time: 2, kind: "set", label: "normalize off · *.mlp.up", detail: "normalize on → off (*.mlp.up)" },
      { run: 7, step: 3, time: 13, kind: "do", label: "pause", detail: "pause" },
    ]);
  });
  it("are gone with the steps that a restart takes back", () => {
    const events = [started(0, 0, null), checkpoint(1, 1), set(2, 2, { lrFactor: 3 }), started(9, 1, "step-1")];
    assert.deepEqual(markersOf(0, events, loss), []);
  });
});

describe("time of training", () => {
  const times = Float64Array.from({ length: 40 }, (_, i) => 1001 + i + (i >= 20 ? 100 : 0));
  const loss: Series = { steps: Float64Array.from(times, (_, i) => i + 1), values: new Float64Array(40), times };
  const killedAndResumed = [started(0, 0, null), checkpoint(10, 10), started(120, 20, "step-10")];
  it("at single points is that of the whole series", () => {
    const whole = trainingSeconds(times, killedAndResumed);
    const points = [0, 19, 20, 39];
    assert.deepEqual(
      secondsAt(loss, killedAndResumed, points),
      points.map((index) => whole[index]),
    );
  });
  it("makes the pace: elapsed without the gap, left by the last steps, what measuring costs", () => {
    const constant = (value: number): Series => ({ ...loss, values: loss.values.map(() => value) });
    const series: Record<string, Series> = {
      "loss/train": loss,
      "time/step": constant(1.02),
      "time/diagnostics": constant(0.02),
      "throughput/tokens_per_second": constant(500),
    };
    const pace = paceOf({ series: (tag) => series[tag] }, killedAndResumed, 50);
    assert.equal(pace.tokensPerSecond, 500);
    assert.ok(Math.abs(pace.overhead! - 0.02) < 1e-12);
    assert.equal(pace.elapsedSeconds, trainingSeconds(times, killedAndResumed).at(-1));
    assert.ok(Math.abs(pace.remainingSeconds! - 10) < 1, String(pace.remainingSeconds));
  });
});

describe("a record of many thousand orders", () => {
  /** As `history` says it: the events, without the orders that a restart forgets. */
  function straightforward(events: readonly RunEvent[]): RunEvent[] {
    let kept: RunEvent[] = [];
    for (const event of events) {
      if (event.type === "started") {
        const saved = kept.findLastIndex((other) => other.type === "checkpoint" && other.file === event.resumedFrom);
        kept = kept.filter((other, i) => i <= saved || other.type !== "applied");
      }
      kept.push(event);
    }
    return kept;
  }

  it("is remembered and forgotten as a short one is", () => {
    let seed = 1;
    const random = (below: number): number => (seed = (seed * 16807) % 2147483647) % below;
    for (let round = 0; round < 300; round++) {
      const events = Array.from({ length: random(40) }, (_, i) => {
        const kind = random(4);
        if (kind === 0) return checkpoint(i, random(4));
        if (kind === 1) return started(i, i, random(3) === 0 ? null : `step-${random(4)}`);
        return set(i, i, { lr: i });
      });
      assert.deepEqual(history(events), straightforward(events));
    }
  });
  it("takes no more than its length", () => {
    const events = [started(0, 0, null)];
    for (let i = 1; i < 100_000; i++)
      events.push(i % 2 ? set(i, i, { lr: i }) : started(i, i, null), set(i, i, { lr: i }), checkpoint(i, i));
    events.push(...Array.from({ length: 20_000 }, (_, i) => set(i, i, { lr: i })));
    const steps = Float64Array.from({ length: 1000 }, (_, i) => i);
    const loss: Series = { steps, values: steps, times: steps };
    const start = performance.now();
    const marks = markersOf(0, events, loss);
    assert.ok(performance.now() - start < 2000, `${performance.now() - start} ms`);
    assert.equal(marks.length, 2000);
    const orders = history(events).filter(({ type }) => type === "applied").length;
    assert.match(marks[0]!.label, new RegExp(`^${orders - 1999} orders up to here$`));
    assert.equal(marks.at(-1)!.label, "lr 19999");
  });
  it("has marks of bounded texts", () => {
    const [mark] = markersOf(0, [set(1, 1, { ["k".repeat(1e6)]: 1 }, "s".repeat(1e6))], undefined);
    assert.deepEqual([mark!.label.length, mark!.detail.length], [200, 2000]);
  });
});
