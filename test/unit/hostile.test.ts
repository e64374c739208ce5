/**
 * Folders that were made to harm: each is opened as the editor opens it, and costs little time, no block and bounded memory.
 * What is readable of them is read, and nothing is written.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { after, before, describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { LOSS_TRAIN, LOSS_VALIDATION } from "../../extension/protocol/tags";
import { differences, tokensPerStep, toTarget, trainingSeconds } from "../../extension/runs/compare";
import { downsample } from "../../extension/runs/downsample";
import { listRuns } from "../../extension/runs/list";
import { RunReader } from "../../extension/runs/runFolder";
import { HOSTILE_RUNS, makeHostileFolder } from "../hostile/make";

/** Milliseconds that anything may hold the event loop, of this process's own time; all that opening a run may take. */
const BLOCK = 50;
const TIME = 10_000;
/** Bytes that are alive at any time. */
const MEMORY = 64 << 20;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function alive(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** As a run in the Runs view and then in a comparison. */
async function openAsEditor(folder: string): Promise<RunReader> {
  const reader = new RunReader(folder);
  for (let n = 0; n < 3; n++) await reader.poll();
  reader.state();
  await pause();
  const { events } = reader;
  differences([reader.run?.spec, undefined]);
  for (const tag of [LOSS_TRAIN, LOSS_VALIDATION]) {
    const series = reader.series(tag);
    if (!series) continue;
    await pause();
    const seconds = trainingSeconds(series.times, events);
    await pause();
    toTarget(series, seconds, 0, reader.run ? tokensPerStep(reader.run.spec) : null);
    for (const steps of [series.steps, seconds]) {
      assert.ok(downsample({ ...series, steps }, undefined, 100).steps.length <= 200);
      await pause();
    }
  }
  await reader.checkpoints().catch((error: Error) => assert.match(error.message, /expected a folder/));
  return reader;
}

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The longest turn of the event loop while `work` goes on, of this process's own time: a busy machine takes time away from it. */
async function longestTurn(work: () => Promise<unknown>): Promise<{ blocked: number; delay: number; time: number }> {
  const used = (): number => (process.cpuUsage().user + process.cpuUsage().system) / 1000;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const [begin, first] = [performance.now(), used()];
  let [blocked, last, lastUsed, running] = [0, begin, first, true];
  const turn = (): void => {
    const [now, nowUsed] = [performance.now(), used()];
    blocked = Math.max(blocked, Math.min(now - last, nowUsed - lastUsed));
    [last, lastUsed] = [now, nowUsed];
    if (running) setImmediate(turn);
  };
  turn();
  await work();
  running = false;
  delay.disable();
  return { blocked, delay: delay.max / 1e6, time: Math.min(performance.now() - begin, used() - first) };
}

describe("a hostile folder", { skip: process.platform === "win32" && "Windows has no pipes in folders" }, () => {
  let workspace: string;
  let runs: string;
  let made: string[];
  const inRuns = (name: string): string => join(runs, name);
  const content = (folder = workspace): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => [
      join(folder, entry.name),
      ...(entry.isDirectory() ? content(join(folder, entry.name)) : []),
    ]);

  before(() => {
    workspace = mkdtempSync(join(tmpdir(), "muonscope-hostile-"));
    runs = join(workspace, ".muonscope", "runs");
    makeHostileFolder(workspace);
    made = content();
  });
  after(() => rmSync(workspace, { recursive: true, force: true }));

  for (const { name, what } of HOSTILE_RUNS) {
    it(`${name}: ${what}`, async (t) => {
      // Once before, so that it is not the compiler that is measured.
      if (name.startsWith("text-")) await openAsEditor(inRuns(name));
      const { blocked, delay, time } = await longestTurn(() => openAsEditor(inRuns(name)));

      const empty = alive();
      let most = 0;
      const sampling = setInterval(() => (most = Math.max(most, alive())), 100);
      const reader = await openAsEditor(inRuns(name));
      clearInterval(sampling);
      const memory = Math.max(most, alive()) - empty;
      t.diagnostic(
        `${time.toFixed(0)} ms, blocked for ${blocked.toFixed(1)} (${delay.toFixed(1)} by the clock), ${(memory / 2 ** 20).toFixed(1)} MB`,
      );
      assert.ok(blocked < BLOCK, `it held the event loop for ${blocked} ms`);
      assert.ok(time < TIME, `it took ${time} ms`);
      assert.ok(memory < MEMORY, `it took ${memory} bytes`);
      assert.ok(reader.warnings.length <= 101 && reader.warnings.every((warning) => warning.length < 500));
      const { reason } = reader.state();
      assert.ok(reason === null || reason.length <= 5000);
    });
  }

  it("is listed without following what is none of its runs", async (t) => {
    let found: string[] = [];
    const { blocked } = await longestTurn(async () => (found = await listRuns(runs)));
    t.diagnostic(`blocked for ${blocked.toFixed(1)} ms`);
    assert.ok(blocked < BLOCK, `it held the event loop for ${blocked} ms`);
    // Of a folder whose run.json is no file, it is the name that makes it a run.
    assert.deepEqual(
      found.map((folder) => folder.slice(runs.length + 1)).sort(),
      HOSTILE_RUNS.map(({ name }) => name)
        .filter(isRun)
        .sort(),
    );
  });

  it("is as it was before all this", () => {
    assert.deepEqual(content(), made, "something was written");
    assert.equal(readFileSync(join(workspace, "outside.txt"), "utf8"), "as it was\n");
  });

  it("with thousands of runs is listed one by one", async () => {
    const many = join(workspace, "many");
    for (let n = 0; n < 3000; n++) mkdirSync(join(many, `${n}`), { recursive: true });
    const { blocked } = await longestTurn(() => listRuns(many));
    assert.ok(blocked < BLOCK, `it held the event loop for ${blocked} ms`);
    rmSync(many, { recursive: true });
  });

  it("still says what can be read of it", async () => {
    const reader = async (name: string): Promise<RunReader> => openAsEditor(inRuns(name));
    const lure = await reader(HOSTILE_RUNS[0]!.name);
    assert.deepEqual([lure.run!.name, lure.state().status, lure.state().reason], [LURE, "failed", LURE]);
    assert.deepEqual([...(await reader("long-claims")).series("a")!.values], [1]);
    assert.equal((await reader("many-events")).state().status, "finished");
    assert.deepEqual([...(await reader("sound-40-mb")).series("end")!.steps], [50_000]);
    const descending = (await reader("descending")).series(LOSS_TRAIN)!;
    assert.deepEqual([descending.steps.length, descending.steps[0], descending.values[0]], [200_000, 1, 199_999]);
    assert.equal((await reader("one-record")).tags().length, 30_000);
    const logs = await reader("many-logs");
    assert.deepEqual([logs.tags(), logs.warnings], [[], ["2001 logs: only the latest 1000 are read"]]);
    assert.match((await reader("pipes")).state().reason!, /^run\.json is not read: expected a file, found a pipe/);
    assert.match(
      (await reader("wrong-types")).warnings.join("\n"),
      /name: expected a text, received 5[^]*line 1: reason[^]*line 2: message/,
    );
  });
});

const LURE = "[Open](command:workbench.action.terminal.new)";

/** Those that have neither a run.json nor a log have nothing by which they would be found. */
const isRun = (name: string): boolean => !["null-lines", "long-line"].includes(name);
