/**
 * A folder of hostile runs, opened in Restricted Mode: the view is there and shows them, and the extension host neither stands still,
 * nor grows, nor starts, writes or runs anything.
 *
 * Environment: MUONSCOPE_TEST_HOSTILE_RUNS, a folder of runs. Links in their texts name the command
 * `CANARY`, or one that opens a terminal.
 */
import { strict as assert } from "node:assert";
import childProcess from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as vscode from "vscode";
import { command, outputOf, product, runsFolder, stateOf } from "./product";
import { atRest } from "./waiting";

/** Nobody but a hostile run calls it. */
const CANARY = "muonscope-tests.canary";

/**
 * What the extension host of a person must not feel. `memory`: resident, whenever the garbage collector had its chance. When it takes
 * it is its own affair: on top of this comes garbage of up to as much again, which `withGarbage` bounds.
 */
const LIMIT = { block: 50, memory: 64, withGarbage: 128 };
const SAMPLE_MS = 5;
const COLLECT_MS = 100;
const TIME_LIMIT_MS = 100_000;
const BIG = 2 ** 20;
/** Each takes part of a second. */
const MOST_OPENED = 60;

/** Sorted before and after all others: one that cannot be read keeps nobody from them. */
const GOOD = ["0000-good", "zzzz-good"];

export function hostile(context: vscode.ExtensionContext, measured: Record<string, number>): void {
  describe("a hostile folder in an untrusted workspace", () => {
    const canaries: unknown[][] = [];
    let before: Record<string, string> = {};
    let started: string[] = [];
    const inRuns = (name: string): string => join(runsFolder(), name);
    const listed = () => product().exports.runs();

    it("is there", async function () {
      this.timeout(TIME_LIMIT_MS);
      assert.equal(vscode.workspace.isTrusted, false);
      const source = process.env["MUONSCOPE_TEST_HOSTILE_RUNS"];
      assert.ok(source && readdirSync(source).length > 0, "MUONSCOPE_TEST_HOSTILE_RUNS names a folder of runs");
      context.subscriptions.push(vscode.commands.registerCommand(CANARY, (...args: unknown[]) => void canaries.push(args)));
      await product().activate();
      await atRest();
      started = watchProcesses(product().extensionPath);
    });

    it("is listed without standing still, growing, or losing sight of good runs", async function () {
      this.timeout(TIME_LIMIT_MS);
      await vscode.commands.executeCommand("muonscope.runs.focus");
      const watch = watchHost();
      // In a process of its own: neither its work nor its memory is the extension's. Links and pipes stay what they are.
      mkdirSync(runsFolder(), { recursive: true });
      await inProcess("cp", ["-a", `${process.env["MUONSCOPE_TEST_HOSTILE_RUNS"]}/.`, runsFolder()]);
      for (const name of GOOD) writeGoodRun(inRuns(name));
      before = stateOfFolder(runsFolder());
      watch.begin();
      await command("refreshRuns");
      for (const name of GOOD) {
        const state = await stateOf(inRuns(name), name, ({ status }) => status === "failed");
        assert.deepEqual([state.step, state.reason], [7, "as it should be"]);
      }
      // Once more, when all of them are known: and the rows have been asked for.
      await command("refreshRuns");
      await atRest();
      const { block, memory: withGarbage } = watch.end();
      // All of them are read again.
      const watchAgain = watchHeld();
      await command("refreshRuns");
      await atRest();
      const memory = watchAgain.end();
      measured["hostile folder: longest block (ms)"] = block;
      measured["hostile folder: memory without garbage (MB)"] = memory;
      measured["hostile folder: memory with garbage (MB)"] = withGarbage;
      measured["hostile folder: runs listed"] = listed().length;
      assert.ok(listed().length > GOOD.length, "hostile runs are shown, too");
      for (const { name } of listed()) assert.equal(typeof name, "string");
      assert.ok(block < LIMIT.block, `it stood still for ${block.toFixed(0)} ms`);
      assert.ok(memory < LIMIT.memory, `it grew by ${memory.toFixed(0)} MB`);
      assert.ok(withGarbage < LIMIT.withGarbage, `with garbage it grew by ${withGarbage.toFixed(0)} MB`);
    });

    it("is looked into, run by run, without standing still", async function () {
      this.timeout(TIME_LIMIT_MS);
      const watch = watchHost();
      watch.begin();
      for (const { folder } of listed().slice(0, MOST_OPENED)) {
        // A run that cannot be read is refused in a message.
        await command("openDashboard", folder);
        await command("openTrainerLog", folder);
        await command("resumeRun", folder);
        await command("pauseRun", folder);
        await vscode.commands.executeCommand("workbench.action.closeAllEditors");
      }
      const folders = listed().map(({ folder }) => folder);
      await command("compareRuns", folders.slice(0, 8));
      await atRest();
      const { block } = watch.end();
      measured["hostile runs: longest block (ms)"] = block;
      await vscode.commands.executeCommand("workbench.action.closeAllEditors");
      await vscode.commands.executeCommand("notifications.clearAll");
      assert.ok(block < LIMIT.block, `it stood still for ${block.toFixed(0)} ms`);
    });

    it("has run nothing, started nothing and written nothing", () => {
      assert.deepEqual(canaries, [], "a command that a run names was executed");
      assert.equal(vscode.window.terminals.length, 0, "a terminal was opened");
      assert.deepEqual(started, [], "a process was started");
      assert.deepEqual(stateOfFolder(runsFolder()), before, "something was written");
    });

    it("has said what is wrong with it, in entries that are its own", () => {
      const lines = outputOf(context).split("\n");
      assert.ok(lines.length < 10_000, `${lines.length} lines in the output`);
      for (const line of lines) assert.match(line, /^$|^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \[\w+\] |^ {4}/, "a line that pretends");
    });
  });
}

/** A run of seven steps, as small as one can be. */
function writeGoodRun(folder: string): void {
  mkdirSync(folder);
  writeFileSync(join(folder, "events.out.tfevents.0"), "");
  const event = (what: object): string => `${JSON.stringify({ time: "2026-01-01T00:00:00.000Z", ...what })}\n`;
  const began = { type: "started", step: 0, pid: 1, host: "elsewhere", processStart: "", resumedFrom: null };
  writeFileSync(join(folder, "events.jsonl"), event(began) + event({ type: "failed", step: 7, message: "as it should be" }));
}

/** Kind, size, time and content of everything in a folder; a link is what it names. Only regular files are opened. */
function stateOfFolder(folder: string): Record<string, string> {
  const states: Record<string, string> = {};
  // Node's own way down follows links.
  const look = (place: string): void => {
    for (const name of readdirSync(place)) {
      const file = join(place, name);
      const found = lstatSync(file);
      const content = found.isSymbolicLink() ? readlinkSync(file) : found.isFile() && found.size < BIG ? digest(file) : "";
      states[file] = `${found.mode.toString(8)} ${found.size} ${found.mtimeMs} ${content}`;
      if (found.isDirectory()) look(file);
    }
  };
  look(folder);
  return states;
}

const digest = (file: string): string => createHash("sha256").update(readFileSync(file)).digest("hex");

const inProcess = (program: string, args: string[]): Promise<void> =>
  new Promise((resolve, reject) => childProcess.execFile(program, args, (error) => (error ? reject(error) : resolve())));

/** Programs that code of the product starts from now on. */
function watchProcesses(code: string): string[] {
  const started: string[] = [];
  const note = (program: unknown): void => {
    const { stack = "" } = new Error();
    if (stack.includes(code)) started.push(`${String(program)}\n${stack}`);
  };
  Error.stackTraceLimit = 50;
  // All that do not wait come down to this one; the product uses none that wait.
  const { prototype } = childProcess.ChildProcess as unknown as { prototype: { spawn(options: { file: string }): unknown } };
  const spawn = prototype.spawn;
  prototype.spawn = function (options) {
    note(options.file);
    return spawn.call(this, options);
  };
  return started;
}

/** Milliseconds that this thread ran, and that it could have run and the machine had others to serve: proc(5), schedstat. */
function scheduled(): { ran: number; queued: number } {
  if (process.platform !== "linux") return { ran: performance.now(), queued: 0 };
  const [ran, queued] = readFileSync("/proc/self/schedstat", "utf8").split(" ");
  return { ran: Number(ran) / 1e6, queued: Number(queued) / 1e6 };
}

const megabytes = (): number => process.memoryUsage.rss() / 2 ** 20;

/** Megabytes gained at most until `end`, of what the garbage collector would leave at that moment. It is called so often that all else waits. */
function watchHeld(): { end(): number } {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const held = (): number => {
    collect();
    return megabytes();
  };
  const base = held();
  let peak = base;
  const timer = setInterval(() => (peak = Math.max(peak, held())), COLLECT_MS);
  return {
    end() {
      clearInterval(timer);
      return Math.max(peak, held()) - base;
    },
  };
}

/** Milliseconds of the longest time in which nothing else could be done, and megabytes gained at most, between `begin` and `end`. */
function watchHost(): { begin(): void; end(): { block: number; memory: number } } {
  let timer: NodeJS.Timeout;
  let block = 0;
  let peak = 0;
  let base = 0;
  return {
    begin() {
      base = peak = megabytes();
      let last = performance.now();
      let before = scheduled();
      timer = setInterval(() => {
        const now = performance.now();
        const after = scheduled();
        const stood = now - last - SAMPLE_MS - (after.queued - before.queued);
        // What it neither ran nor queued in is the machine's: a page that is not there, a helper of the collector that gets no turn.
        block = Math.max(block, Math.min(stood, after.ran - before.ran));
        peak = Math.max(peak, megabytes());
        [last, before] = [now, after];
      }, SAMPLE_MS);
    },
    end() {
      clearInterval(timer);
      return { block, memory: peak - base };
    },
  };
}
