/** What a failed host or ui test leaves running is ended, and nothing else: scripts/test-workspace.mjs. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { processStart } from "../../extension/runs/processes";
import { temporaryFolder } from "./folders";

interface TestWorkspace {
  endRuns(workspace: string): Promise<void>;
}

/** A process that waits, and with which signal it ends. */
async function sleeper(test: TestContext): Promise<{ child: ChildProcess; pid: number; signal: Promise<unknown> }> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  test.after(() => child.kill("SIGKILL"));
  await once(child, "spawn");
  return { child, pid: child.pid!, signal: once(child, "exit").then(([, signal]: unknown[]) => signal) };
}

/** Ends what is left of one run, whose events are these lines. */
async function endRun(test: TestContext, lines: string[]): Promise<void> {
  const workspace = temporaryFolder(test);
  const run = join(workspace, ".muonscope", "runs", "one");
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, "events.jsonl"), lines.join("\n"));
  const { endRuns } = (await import(pathToFileURL(resolve("scripts", "test-workspace.mjs")).href)) as TestWorkspace;
  await endRuns(workspace);
}

describe("ending what tests left", () => {
  it("ends the process that wrote the log, torn lines in it or not", async (test) => {
    const { pid, signal } = await sleeper(test);
    const started = JSON.stringify({ type: "started", pid, processStart: await processStart(pid) });
    await endRun(test, [started, '{"type":"paus}', "null", '{"type":"applied","order"']);
    assert.equal(await signal, "SIGKILL");
  });

  it("leaves another process alone that has its id now", async (test) => {
    const { child, pid, signal } = await sleeper(test);
    await endRun(test, [JSON.stringify({ type: "started", pid, processStart: "long ago 1" }), ""]);
    child.kill("SIGTERM");
    assert.equal(await signal, "SIGTERM", "it was not killed before");
  });
});
