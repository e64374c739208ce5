/** Folders that others made: nothing is written or deleted outside of a run's own, and nothing in it is waited for. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { basename, join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { launch } from "../../extension/runs/launch";
import { order } from "../../extension/runs/order";
import { refuseForeign } from "../../extension/runs/ownFiles";
import { lock, thisProcess } from "../../extension/trainer/lock";
import { temporaryFolder } from "./folders";
import { begin, eventOf, read, resume } from "./runs";

/** A run that was stopped on its way, and a file and a folder that are none of its business. */
async function workplace(t: TestContext): Promise<{ folder: string; bashrc: string; treasure: string }> {
  const running = await begin(t, { steps: 1e6, checkpoints: { every: 5, keep: 2 } }, { milliseconds: 1 });
  await eventOf(running, "checkpoint", ({ step }) => step === 10); // the second
  await order(running.folder, { do: "stop" });
  await running.done;
  const elsewhere = temporaryFolder(t);
  const bashrc = join(elsewhere, "bashrc");
  const treasure = join(elsewhere, "checkpoints");
  writeFileSync(bashrc, "mine\n");
  mkdirSync(treasure);
  for (const step of [1, 2, 3]) writeFileSync(join(treasure, `step-0000000${step}.safetensors`), "precious");
  writeFileSync(join(treasure, "step-00000004.safetensors.1.part"), "precious");
  return { folder: running.folder, bashrc, treasure };
}

const untouched = ({ bashrc, treasure }: { bashrc: string; treasure: string }): void => {
  assert.equal(readFileSync(bashrc, "utf8"), "mine\n");
  assert.equal(readdirSync(treasure).length, 4);
};

/** In the place of what is there. */
function replace(path: string, make: (path: string) => void): void {
  rmSync(path, { recursive: true, force: true });
  make(path);
}

describe("resuming a run that has", { skip: process.platform === "win32" && "links need a right on Windows" }, () => {
  for (const name of ["run.json", "events.jsonl", "control.jsonl", "trainer.log", "events.out.tfevents.9.x"]) {
    it(`a link for its ${name} is refused, by the launcher and by the trainer`, async (t) => {
      const place = await workplace(t);
      const path = join(place.folder, name);
      replace(path, () => symlinkSync(place.bashrc, path));
      const expected = {
        name: "UserError",
        message:
          `${path}: expected a file of the run's own, found a link to ${JSON.stringify(place.bashrc)}. ` +
          `What a run writes stays in its folder. Put a copy in its place, or delete it if it is not yours.`,
      };
      await assert.rejects(resume(place.folder), expected);
      const trainerScript = resolve("dist/trainer.js");
      await assert.rejects(launch({ source: { resume: place.folder }, runsFolder: "", trainerScript }), expected);
      untouched(place);
    });
  }

  it("a link for its folder of checkpoints is refused, and what is there stays", async (t) => {
    const place = await workplace(t);
    const path = join(place.folder, "checkpoints");
    replace(path, () => symlinkSync(place.treasure, path));
    await assert.rejects(resume(place.folder), {
      name: "UserError",
      message: /checkpoints: expected a folder of the run's own, found a link to/,
    });
    untouched(place);
  });

  it("a link for a checkpoint goes on from the one before, and leaves what the link leads to", async (t) => {
    const place = await workplace(t);
    const [older, newest] = readdirSync(join(place.folder, "checkpoints")).slice(-2);
    const stolen = join(place.treasure, newest!);
    const path = join(place.folder, "checkpoints", newest!);
    renameSync(path, stolen);
    symlinkSync(stolen, path);
    const again = await resume(place.folder, { milliseconds: 1 });
    const alert = await eventOf(again, "alert");
    assert.match(alert.message, new RegExp(`${newest} cannot be used: .*found a link to`));
    assert.equal(again.session.step, Number(/\d+/.exec(older!)![0]));
    await eventOf(again, "checkpoint", ({ step }) => step > Number(/\d+/.exec(newest!)![0]) + 20);
    await order(place.folder, { do: "stop" });
    await again.done;
    assert.ok(!existsSync(path), "the link went");
    assert.ok(existsSync(stolen), "what it led to did not");
  });

  it("a pipe or a hard link is refused at once", async (t) => {
    const place = await workplace(t);
    const path = join(place.folder, "trainer.log");
    replace(path, () => execFileSync("mkfifo", [path]));
    await assert.rejects(resume(place.folder), {
      name: "UserError",
      message: /trainer\.log: expected a file of the run's own, found a pipe\./,
    });
    replace(path, () => linkSync(place.bashrc, path));
    await assert.rejects(resume(place.folder), /found a file that has 2 names \(hard links\)/);
    untouched(place);
  });

  it("a link for its lock is refused", async (t) => {
    const place = await workplace(t);
    for (const name of ["trainer.lock", "trainer.lock.takeover"]) {
      const folder = temporaryFolder(t);
      const stale = JSON.stringify({ pid: process.pid, host: hostname(), processStart: "earlier" });
      writeFileSync(join(folder, "trainer.lock"), stale);
      replace(join(folder, name), (path) => symlinkSync("/dev/zero", path));
      await assert.rejects(lock(folder, await thisProcess()), { name: "UserError", message: /found a link to "\/dev\/zero"/ });
      assert.deepEqual(readdirSync(folder).sort(), [...new Set(["trainer.lock", name])].sort(), "and nothing is left of the attempt");
    }
    untouched(place);
  });

  it("a folder with a log's name is not refused: it is none", async (t) => {
    const { folder } = await workplace(t);
    mkdirSync(join(folder, "kept.tfevents.old"));
    await refuseForeign(folder);
  });

  it("no folder is said, by the launcher and by the trainer", async (t) => {
    const nowhere = join(temporaryFolder(t), "nowhere");
    const expected = { name: "UserError", message: new RegExp(`^${nowhere}: expected the folder of a run, it cannot be read: ENOENT`) };
    await assert.rejects(resume(nowhere), expected);
    await assert.rejects(launch({ source: { resume: nowhere }, runsFolder: "", trainerScript: resolve("dist/trainer.js") }), expected);
  });

  it("a folder that its user reaches through a link goes on", async (t) => {
    const place = await workplace(t);
    const way = join(temporaryFolder(t), basename(place.folder));
    symlinkSync(place.folder, way);
    const again = await resume(way, { milliseconds: 1 });
    await eventOf(again, "checkpoint", ({ step }) => step > again.session.step);
    await order(way, { do: "stop" });
    await again.done;
    assert.equal((await read(place.folder)).state().status, "stopped");
  });
});

it("a link that takes the place of the checkpoints of a living run is not followed", async (t) => {
  const place = await workplace(t);
  const copy = `${place.folder}-copy`;
  cpSync(place.folder, copy, { recursive: true });
  const again = await resume(copy, { milliseconds: 1 });
  replace(join(copy, "checkpoints"), (path) => symlinkSync(place.treasure, path));
  const alert = await eventOf(again, "alert", ({ severity }) => severity === "error");
  assert.match(alert.message, /could not be written: .*checkpoints: expected a folder of the run's own, found a link to/);
  await order(copy, { do: "stop" });
  await assert.rejects(again.done, /expected a folder of the run's own/);
  untouched(place);
});
