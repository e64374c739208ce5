/** One trainer for one folder; and process ids that are used again. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { isAlive, processStart } from "../../extension/runs/processes";
import { lock, thisProcess } from "../../extension/trainer/lock";
import { temporaryFolder, until } from "./folders";

describe("a process", () => {
  it("is known by its id and its start", async () => {
    const start = await processStart(process.pid);
    assert.ok(start);
    assert.equal(await isAlive(process.pid, start), true);
    assert.equal(await isAlive(process.pid, "another start"), process.platform === "win32");
  });
  it("that ended is gone, even before its parent has noticed", async () => {
    const child = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"]);
    await once(child, "spawn");
    const start = await processStart(child.pid!);
    assert.ok(start);
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await until("the process to be gone", async () => !(await isAlive(child.pid!, start)));
    await exit;
    assert.equal(await isAlive(child.pid!, start), false);
  });
});

describe("the lock of a run folder", () => {
  const stale = { pid: process.pid, host: hostname(), processStart: "an earlier process of this number" };
  it("is given once, and again after its release", async (t) => {
    const folder = temporaryFolder(t);
    const release = await lock(folder, await thisProcess());
    await assert.rejects(lock(folder, await thisProcess()), {
      name: "UserError",
      message: new RegExp(`process ${process.pid} on ${hostname()}`),
    });
    release();
    assert.deepEqual(readdirSync(folder), []);
    (await lock(folder, await thisProcess()))();
  });
  it("of a process that is gone is taken over", async (t) => {
    for (const left of [JSON.stringify(stale), "", "{"]) {
      const folder = temporaryFolder(t);
      writeFileSync(join(folder, "trainer.lock"), left);
      (await lock(folder, await thisProcess()))();
      assert.deepEqual(readdirSync(folder), []);
    }
  });
  it("of another machine is respected", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "trainer.lock"), JSON.stringify({ ...stale, host: "elsewhere" }));
    await assert.rejects(lock(folder, await thisProcess()), /on elsewhere\).*delete .*trainer\.lock/);
    assert.ok(existsSync(join(folder, "trainer.lock")));
  });
  it("goes to one of many that want a stale one at once", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "trainer.lock"), JSON.stringify(stale));
    const results = await Promise.allSettled(Array.from({ length: 20 }, async () => lock(folder, await thisProcess())));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
  });
});
