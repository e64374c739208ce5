/** A disk that fails for a while: what is unwritten is kept, orders are obeyed, and the run goes on by itself when it can. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { order } from "../../extension/runs/order";
import { Appender } from "../../extension/trainer/appender";
import { temporaryFolder, until } from "./folders";
import { begin, eventOf, eventsOf, read } from "./runs";

const eio = (): Promise<never> => Promise.reject(Object.assign(new Error("EIO: i/o error"), { code: "EIO" }));

type Call = (original: () => Promise<unknown>, args: unknown[]) => Promise<unknown>;

/** Puts `call` in the place of a method of all open files. Resolves to what undoes it. */
async function handles(method: "datasync" | "write", call: Call): Promise<() => void> {
  const handle = await open(process.execPath);
  const prototype = Object.getPrototypeOf(handle) as Record<string, (...args: unknown[]) => Promise<unknown>>;
  await handle.close();
  const sound = prototype[method]!;
  prototype[method] = function (this: FileHandle, ...args) {
    return call(() => sound.apply(this, args), args);
  };
  return () => void (prototype[method] = sound);
}

/** All syncs of files, or all writes of bytes, fail from where it has begun until what this resolves to is called, or the test ends. */
async function faulty(t: TestContext, method: "datasync" | "write", begun = (): boolean => true): Promise<() => void> {
  // Orders are text, and come from another process.
  const mend = await handles(method, (original, [what]) => (typeof what === "string" || !begun() ? original() : eio()));
  t.after(mend);
  return mend;
}

describe("what is appended", () => {
  it("survives a sync that fails: it is tried again, and nothing is written twice", async (t) => {
    const appender = new Appender(join(temporaryFolder(t), "log"));
    const mend = await faulty(t, "datasync");
    appender.push(Buffer.from("a"));
    await appender.sync();
    assert.match(appender.problem!.message, /EIO/);
    appender.push(Buffer.from("b"));
    await appender.flush();
    assert.match(appender.problem!.message, /EIO/, "still not on the disk");
    mend();
    await appender.flush();
    assert.equal(appender.problem, undefined);
    await appender.close();
    assert.equal(readFileSync(appender.path, "utf8"), "ab");
  });

  it("survives writes that fail", async (t) => {
    const appender = new Appender(join(temporaryFolder(t), "log"));
    const mend = await faulty(t, "write");
    for (const text of ["a", "b", "c"]) {
      appender.push(Buffer.from(text));
      await appender.flush();
      assert.match(appender.problem!.message, /EIO/);
    }
    mend();
    await appender.close();
    assert.deepEqual([appender.problem, readFileSync(appender.path, "utf8")], [undefined, "abc"]);
  });

  it("is synced as far as it had come when that was asked for, even during another sync", async (t) => {
    const appender = new Appender(join(temporaryFolder(t), "log"));
    const synced: string[] = [];
    const sound = await handles("datasync", async function (original) {
      synced.push(readFileSync(appender.path, "utf8"));
      if (synced.length === 1) appender.push(Buffer.from("b"));
      await original();
    });
    t.after(sound);
    appender.push(Buffer.from("a"));
    const first = appender.sync();
    await until("the first sync", () => synced.length === 1);
    await Promise.all([first, appender.sync()]);
    assert.deepEqual(synced, ["a", "ab"]);
    await appender.close();
  });
});

describe("a run on a faulty disk", () => {
  it("goes on by itself after one sync failed", async (t) => {
    const running = await begin(t, { steps: 1e6, checkpoints: { every: 10 } }, { milliseconds: 2 });
    const mend = await faulty(t, "datasync");
    const paused = await eventOf(running, "paused");
    assert.match(paused.reason, /cannot be written to \(EIO: i\/o error\)\. .*goes on by itself then/);
    mend();
    const resumed = await eventOf(running, "resumed");
    await eventOf(running, "checkpoint", ({ step }) => step === resumed.step); // the one that was due is made up for
    await eventOf(running, "checkpoint", ({ step }) => step === resumed.step + 10);
    await order(running.folder, { do: "stop" });
    await running.done;
    const { warnings, ...reader } = await read(running.folder);
    assert.deepEqual(warnings, []);
    assert.equal(reader.run!.spec.steps, 1e6);
  });

  it("obeys orders meanwhile, and nothing unwritten is lost", async (t) => {
    const running = await begin(t, { steps: 1e6, checkpoints: { every: 0 } }, { milliseconds: 2 });
    const { folder, session, said } = running;
    const mend = await faulty(t, "write");
    await until("the fault to be seen", () => said.some((line) => line.includes("cannot be written to (EIO")));
    await order(folder, { set: { lrFactor: 0.5 } });
    await until("the change", () => session.steering.lrFactor === 0.5);
    await order(folder, { do: "pause" });
    await until("the pause", () => session.steering.paused === "ordered");
    mend();
    const types = (): string[] => eventsOf(folder).map(({ type }) => type);
    await until("the log", () => types().length === 7);
    assert.deepEqual(types(), ["started", "alert", "paused", "applied", "applied", "paused", "paused"]);
    assert.equal((await read(folder)).state().reason, "ordered");
    await order(folder, { do: "stop" });
    await running.done;
    const reader = await read(folder);
    assert.deepEqual(
      [...reader.series("loss/train")!.steps],
      Array.from({ length: eventsOf(folder).at(-1)!.step }, (_, i) => i + 1),
    );
  });

  it("obeys a stop, with a failure that says what is not saved", async (t) => {
    const running = await begin(t, { steps: 1e6, checkpoints: { every: 0 } }, { milliseconds: 2 });
    const mend = await faulty(t, "write");
    await until("the fault to be seen", () => running.said.some((line) => line.includes("cannot be written to (EIO")));
    await order(running.folder, { do: "stop" });
    await assert.rejects(
      running.done,
      /^UserError: Stopped \(ordered\) after step \d+, but the checkpoint .*EIO.* Nothing of the run is saved/,
    );
    assert.match(running.session.log.problem!.message, /EIO/);
    mend();
  });

  it("that fails after the last step waits with the end of the log", async (t) => {
    let begun = false;
    const mend = await faulty(t, "write", () => begun);
    const onStep = (step: number): undefined => void (begun = step === 20);
    const running = await begin(t, { steps: 20, checkpoints: { every: 0 } }, { onStep });
    await until("the fault to be seen", () => running.said.some((line) => line.includes("cannot be written to (EIO")));
    mend();
    await running.done;
    assert.equal((await read(running.folder)).state().status, "finished");
  });
});
