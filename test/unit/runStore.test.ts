/** How often the extension looks, whatever the settings of a folder say; and that one run keeps nobody from the others. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { RunState } from "../../extension/protocol/runFolder";
import { encodeValues } from "../../extension/protocol/tfevents";
import { readEvents } from "../../extension/runs/runFolder";
import { Run } from "../../extension/ui/run";
import { RunStore } from "../../extension/ui/runStore";
import { Log } from "../../extension/ui/say";
import { cudaLibraries, refreshInterval, runsFolders } from "../../extension/ui/settings";
import { fake } from "./fakeVscode";
import { temporaryFolder, until } from "./folders";

/** A workspace of runs that have a log, and nothing in it. */
function workspace(t: TestContext, ...runs: string[]): string {
  fake.reset();
  const workspace = temporaryFolder(t);
  const folder = join(workspace, ".muonscope", "runs");
  for (const run of runs) addRun(folder, run);
  fake.folders = [workspace];
  return folder;
}

function addRun(folder: string, name: string): void {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, "events.out.tfevents.1"), "");
}

function storeOf(t: TestContext): RunStore {
  const store = new RunStore(new Log());
  t.after(() => store.dispose());
  return store;
}

const FAILED: RunState = {
  status: "failed",
  ...{ step: 0, steps: null, loss: null, validationLoss: null },
  ...{ startedAt: null, updatedAt: null, reason: null },
};

const logged = (): string[] => fake.said.filter(({ how }) => how === "log").map(({ text }) => text);

describe("the rate at which pages are brought up to date", () => {
  it("is the setting's, within its bounds, and its default where it is no number", () => {
    fake.reset();
    const interval = (rate: unknown): number => {
      fake.settings["muonscope.refreshRate"] = rate;
      return refreshInterval();
    };
    assert.deepEqual([interval(undefined), interval(10), interval(0.2), interval(4)], [200, 100, 5000, 250]);
    for (const fast of [11, 1e9, Number.MAX_VALUE]) assert.equal(interval(fast), 100, String(fast));
    // A timer of no length, of less than none, or of more than 2³¹ ms is one of 1 ms.
    for (const slow of [0, -1, 1e-12, -1e9]) assert.equal(interval(slow), 5000, String(slow));
    for (const other of [NaN, Infinity, "1000", null, [], {}, true]) assert.equal(interval(other), 200, String(other));
  });
});

describe("a setting of folders that is none", () => {
  it("is an error that says so", () => {
    fake.reset();
    for (const set of [5, null, {}, [".muonscope"]]) {
      fake.settings["muonscope.runsFolder"] = set;
      assert.throws(() => runsFolders(), /muonscope\.runsFolder: expected a folder, received/);
    }
    for (const set of ["/a", 5, [5], {}]) {
      fake.settings["muonscope.cudaLibraries"] = set;
      assert.throws(() => cudaLibraries(undefined), /muonscope\.cudaLibraries: expected a list of folders, received/);
    }
  });
});

describe("the runs of a workspace", { timeout: 60_000 }, () => {
  it("are all there, but for one that cannot be read, of which it is said once", async (t) => {
    const runs = workspace(t, "a", "b", "c");
    const bad = join(runs, "b");
    let tried = 0;
    const poll = Run.prototype.poll;
    t.mock.method(Run.prototype, "poll", function (this: Run) {
      if (this.folder !== bad) return poll.call(this);
      tried++;
      return Promise.reject(new Error("it is damaged"));
    });
    const store = storeOf(t);
    await store.found;
    assert.deepEqual(store.runs.map(({ folder }) => folder).sort(), [join(runs, "a"), join(runs, "c")]);
    await until("another try", () => tried >= 2);
    assert.deepEqual(logged(), [`${bad}: it is damaged`]);
    await store.refresh();
    assert.equal(logged().length, 2, "who asks is told again");
  });
  it("are there when one's log cannot be looked at any more", async (t) => {
    const runs = workspace(t, "a", "b");
    const store = storeOf(t);
    await store.found;
    symlinkSync("events.jsonl", join(runs, "b", "events.jsonl"));
    addRun(runs, "c");
    await store.refresh();
    assert.deepEqual(store.runs.map(({ folder }) => folder).sort(), [join(runs, "a"), join(runs, "b"), join(runs, "c")]);
    assert.equal(logged().length, 1);
    assert.match(logged()[0]!, /(?:^|\W)b: /);
  });
  it("are the newest first; one that names no time that is one is the oldest", async (t) => {
    workspace(t, ..."0123456789");
    const startedAt = ({ folder }: Run): number => (Number(folder.at(-1)) % 2 ? NaN : Number(folder.at(-1)));
    t.mock.getter(Run.prototype, "state", function (this: Run) {
      return { ...FAILED, startedAt: startedAt(this) };
    });
    const store = storeOf(t);
    await store.found;
    assert.equal(store.runs.length, 10);
    assert.deepEqual(
      store.runs.slice(0, 5).map(({ folder }) => folder.at(-1)),
      ["8", "6", "4", "2", "0"],
    );
  });
  it("cannot be found where the setting is none, and are when it is put right", async (t) => {
    workspace(t, "a");
    fake.settings["muonscope.runsFolder"] = 5;
    const store = storeOf(t);
    await store.found;
    await until("another look", () => logged().length > 0);
    assert.match(logged().join(), /^muonscope\.runsFolder: expected a folder, received 5\.$/);
    delete fake.settings["muonscope.runsFolder"];
    await store.refresh();
    assert.equal(store.runs.length, 1);
  });
  it("are known by their state, and of those at rest nothing else is kept but while somebody looks", async (t) => {
    const runs = workspace(t, "a");
    const values = ["loss/train", "b", "c"].map((tag) => ({ tag, shape: "scalar", value: 2 }) as const);
    writeFileSync(join(runs, "a", "events.out.tfevents.1"), encodeValues(1e9, 7, values));
    const event = (what: object): string => `${JSON.stringify({ time: "2026-01-01T00:00:00.000Z", step: 7, ...what })}\n`;
    const alert = event({ type: "alert", severity: "error", message: "m" });
    writeFileSync(join(runs, "a", "events.jsonl"), alert + event({ type: "failed", message: "f" }));
    const store = storeOf(t);
    await store.found;
    const [run] = store.runs as [Run];
    const { status, step, loss } = run.state;
    const kept = () => [run.reader.tags().length, run.events.length];
    assert.deepEqual([status, step, loss, ...kept()], ["failed", 7, 2, 0, 0]);
    const [one, other] = [run.hold(), run.hold()];
    await store.read(run);
    assert.deepEqual(kept(), [3, 2]);
    one.dispose();
    one.dispose();
    await store.refresh();
    assert.deepEqual(kept(), [3, 2], "somebody still looks");
    other.dispose();
    assert.deepEqual([run.state.status, ...kept()], ["failed", 0, 0]);
    assert.deepEqual(
      (await readEvents(run.folder)).map(({ type }) => type),
      ["alert", "failed"],
    );
  });
  it("are read whole while they are live", async (t) => {
    const runs = workspace(t, "a");
    const store = storeOf(t);
    await store.found;
    const [run] = store.runs as [Run];
    assert.deepEqual([run.state.status, run.reader.whole], ["starting", true]);
    writeFileSync(join(runs, "a", "events.out.tfevents.1"), encodeValues(1e9, 1, [{ tag: "b", shape: "scalar", value: 1 }]));
    await store.refresh();
    assert.deepEqual([run.state.status, run.reader.whole], ["unknown", false]);
  });
});
