/** What a page says to the extension host: what is done, what is refused, and how often a page is answered. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { activate, type MuonscopeApi } from "../../extension/main";
import type { FromCompare, FromDashboard, SeriesRequest, WatchMessage } from "../../extension/protocol/panels";
import { LOSS_TRAIN } from "../../extension/protocol/tags";
import { compareSource, dashboardSource, fromCompare, fromDashboard } from "../../extension/ui/pageMessages";
import { Throttle } from "../../extension/ui/throttle";
import { commands, fake, type FakePanel } from "./fakeVscode";
import { temporaryFolder, until } from "./folders";
import { begin } from "./runs";

const loss: SeriesRequest = { panel: "loss", tag: LOSS_TRAIN, axis: "step", range: null, width: 100, smoothing: 0.9 };
const watch: WatchMessage = { type: "watch", series: [loss], snapshots: [], profiles: [] };
const knob = { type: "setKnob", knob: "lr", group: "matrix", value: 0.1, scope: null } as const;

const good: FromDashboard[] = [
  { type: "ready" },
  { type: "drawn" },
  watch,
  {
    type: "watch",
    series: [{ ...loss, axis: "time", range: { from: -1.5, to: 2e9 }, smoothing: 0 }],
    snapshots: [{ panel: "s", tag: "neuron_norm/update/w", step: null }],
    profiles: [{ panel: "p", channel: "condition_number", tap: "update", step: 12 }],
  },
  { type: "pageError", message: "Error: x\n    at y" },
  { type: "command", command: "muonscope.pauseRun" },
  knob,
  { ...knob, group: "auxiliary", value: false, scope: "blocks.0.*" },
  { ...knob, group: "run", value: "polar" },
];
const goodOfCompare: FromCompare[] = [
  { type: "setTarget", loss: 1.5 },
  { type: "addRuns" },
  { type: "openRun", run: "/a" },
  { type: "removeRun", run: "/a" },
];

/** What a page never says, each with what is said of it. */
const bad: [unknown, RegExp][] = [
  [null, /expected a message of type ready, .*received null/],
  [undefined, /received undefined/],
  ["ready", /received "ready"/],
  [[], /received \[\]/],
  [{ type: "__proto__" }, /expected a message/],
  [{ type: "constructor" }, /expected a message/],
  [{ type: ["ready"] }, /expected a message/],
  [{ type: "ready", now: true }, /ready: expected type, received "now"/],
  [{ type: "command" }, /command\.command: expected muonscope\.pauseRun or .*received undefined/],
  [{ type: "command", command: "workbench.action.terminal.sendSequence" }, /command\.command: expected muonscope/],
  [{ type: "command", command: "muonscope.startRun" }, /command\.command: expected/],
  [{ type: "command", command: "toString" }, /command\.command: expected/],
  [{ type: "command", command: ["muonscope.pauseRun"] }, /command\.command: expected/],
  [{ type: "command", command: "muonscope.pauseRun", arguments: ["/elsewhere"] }, /command: expected type, command, received "arguments"/],
  [{ type: "pageError", message: { toString: 5 } }, /pageError\.message: expected a text/],
  [{ type: "pageError", message: "x".repeat(200_000) }, /pageError\.message: expected a text of at most 100000 characters/],
  [{ ...watch, series: undefined }, /watch\.series: expected a list/],
  [{ ...watch, series: Array.from({ length: 20_000 }, () => loss) }, /watch\.series: expected a list of at most 10000/],
  [{ ...watch, series: [loss, null] }, /watch\.series\[1\]: expected an object, received null/],
  ...[-1, NaN, Infinity, 1e9, "100", null].map((width): [unknown, RegExp] => [
    { ...watch, series: [{ ...loss, width }] },
    /series\[0\]\.width: expected a number from 0 to 100000/,
  ]),
  [{ ...watch, series: [{ ...loss, smoothing: 1 }] }, /smoothing: expected a number from 0, less than 1, received 1/],
  [{ ...watch, series: [{ ...loss, axis: "depth" }] }, /axis: expected step or time, received "depth"/],
  [{ ...watch, series: [{ ...loss, range: { from: 1 } }] }, /range\.to: expected a finite number, received undefined/],
  [{ ...watch, series: [{ ...loss, tag: "t".repeat(5000) }] }, /tag: expected a text of at most 4096 characters/],
  [{ ...watch, snapshots: [{ panel: "s", tag: "t", step: -1 }] }, /snapshots\[0\]\.step: expected a number from 0/],
  [{ ...watch, profiles: [{ panel: "p", channel: 5, tap: "update", step: null }] }, /profiles\[0\]\.channel: expected a text/],
  [{ ...knob, knob: 5 }, /setKnob\.knob: expected a text/],
  [{ ...knob, group: "toString" }, /setKnob\.group: expected matrix or auxiliary or run/],
  [{ ...knob, value: { lr: 1 } }, /setKnob\.value: expected true, false, a finite number or a short text/],
  [{ ...knob, value: Infinity }, /setKnob\.value/],
  [{ ...knob, scope: 5 }, /setKnob\.scope: expected a text/],
];

describe("a message of a page", () => {
  it("is understood as the types have it", () => {
    for (const message of good) assert.deepEqual(fromDashboard(structuredClone(message)), message);
    for (const message of [...good.slice(0, 6), ...goodOfCompare]) assert.deepEqual(fromCompare(structuredClone(message)), message);
  });
  it("of another shape is refused, with what was expected and what came", () => {
    for (const [message, reason] of bad)
      assert.throws(() => fromDashboard(message), { message: reason }, JSON.stringify(message)?.slice(0, 200));
    for (const loss of [NaN, "1", null])
      assert.throws(() => fromCompare({ type: "setTarget", loss }), /setTarget\.loss: expected a finite/);
    assert.throws(() => fromCompare({ type: "openRun", run: { folder: "/a" } }), /openRun\.run: expected a text/);
  });
  it("of another page is refused", () => {
    assert.throws(() => fromDashboard({ type: "addRuns" }), /expected a message/);
    assert.throws(() => fromCompare(knob), /expected a message/);
  });
  it("that is what it showed before a reload is looked at alike", () => {
    assert.deepEqual(dashboardSource({ source: { folder: "/a" }, smoothing: 1 }), { folder: "/a" });
    assert.deepEqual(compareSource({ source: { runs: [{ folder: "/a", slot: 0 }] } }), { runs: [{ folder: "/a", slot: 0 }] });
    for (const state of [undefined, null, 5, {}, { source: null }, { source: { folder: 5 } }, { source: { runs: {} } }]) {
      assert.throws(() => dashboardSource(state), /what it showed/);
      assert.throws(() => compareSource(state), /what it showed/);
    }
    assert.throws(() => compareSource({ source: { runs: [{ folder: "/a", slot: "x" }] } }), /runs\[0\]\.slot: expected a number/);
  });
});

interface Open {
  panel: FakePanel;
  api: MuonscopeApi;
  run: string;
  executed: () => unknown[][];
}

/** The page of a finished run. */
async function open(t: TestContext): Promise<Open> {
  fake.reset();
  const made = await begin(t, { steps: 12 });
  await made.done;
  const workspace = join(made.folder, "..", "..");
  fake.folders = [workspace];
  fake.settings["muonscope.runsFolder"] = "runs";
  const context = fake.context(temporaryFolder(t));
  const api = activate(context);
  t.after(() => context.subscriptions.forEach((each) => void each.dispose()));
  await until("the run", () => api.runs().length === 1);
  await commands.executeCommand("muonscope.openDashboard", made.folder);
  const [panel] = fake.panels;
  assert.ok(panel);
  const before = fake.executed.length;
  return { panel, api, run: made.folder, executed: () => fake.executed.slice(before).filter(([id]) => id !== "setContext") };
}

const batches = ({ posted }: FakePanel): number => posted.filter((message) => (message as { type: string }).type === "data").length;

describe("the extension host", { timeout: 60_000 }, () => {
  it("does nothing of what a page never says, says so, and goes on", async (t) => {
    const { panel, api, executed } = await open(t);
    for (const [message] of bad) panel.says(message);
    panel.says({ type: "openRun", run: "/elsewhere" });
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(executed(), []);
    assert.equal(api.runs().length, 1);
    const refusals = fake.said.filter(({ how, text }) => how === "log" && text.startsWith("dashboard page: not done what it said"));
    assert.equal(refusals.length, bad.length + 1);
    panel.says({ type: "ready" });
    panel.says(watch);
    await until("its data", () => batches(panel) > 0);
  });
  it("executes the commands of its buttons, for the page's run", async (t) => {
    const { panel, run, executed } = await open(t);
    panel.says({ type: "command", command: "muonscope.openTrainerLog" });
    assert.deepEqual(executed(), [["muonscope.openTrainerLog", run]]);
  });
  it("opens no run for a comparison that it does not show", async (t) => {
    const { run, api } = await open(t);
    const other = await begin(t, { steps: 1 });
    await other.done;
    await commands.executeCommand("muonscope.compareRuns", [run, other.folder]);
    const panel = fake.panels[1];
    assert.ok(panel);
    const known = api.runs().length;
    const before = fake.executed.length;
    panel.says({ type: "openRun", run: "/elsewhere" });
    panel.says({ type: "removeRun", run: "/elsewhere" });
    await until("the complaint", () => fake.said.some(({ how, text }) => how === "log" && text.includes('received "/elsewhere"')));
    assert.deepEqual([fake.executed.slice(before), api.runs().length], [[], known]);
    panel.says({ type: "openRun", run });
    assert.deepEqual(fake.executed.slice(before), [["muonscope.openDashboard", run]]);
  });
  it("answers a page that asks without end at a bounded rate, and with the last that it asked for", async (t) => {
    const { panel } = await open(t);
    const start = performance.now();
    let asked = 0;
    while (performance.now() - start < 400) {
      asked++;
      panel.says({ type: "ready" });
      panel.says({ ...watch, series: [{ ...loss, width: asked }] });
      panel.says({ type: "drawn" });
      if (asked % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const took = performance.now() - start;
    assert.ok(asked > 500, `${asked} askings in ${took} ms`);
    assert.ok(batches(panel) <= took / 50 + 1, `${batches(panel)} answers to ${asked} askings in ${took} ms`);
    panel.says({ type: "drawn" });
    const before = batches(panel);
    panel.says({ ...watch, series: [loss, { ...loss, panel: "last" }] });
    await until("the last", () => panel.posted.some((message) => JSON.stringify(message).includes('"panel":"last"')));
    assert.ok(batches(panel) > before);
  });
});

describe("a throttle", () => {
  it("does at once, then once after its rest, and not when it is over", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    let now = 0;
    t.mock.method(performance, "now", () => now);
    let done = 0;
    const throttle = new Throttle(50, () => ((now += 20), done++));
    const pass = (milliseconds: number) => ((now += milliseconds), t.mock.timers.tick(milliseconds));
    throttle.ask();
    assert.equal(done, 1);
    for (let i = 0; i < 100; i++) throttle.ask();
    pass(49);
    assert.equal(done, 1, "its rest begins at its end");
    pass(1);
    assert.equal(done, 2);
    pass(1000);
    assert.equal(done, 2, "nobody asked");
    throttle.ask();
    throttle.ask();
    throttle.dispose();
    pass(1000);
    assert.equal(done, 3);
  });
});
