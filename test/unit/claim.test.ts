/** A run folder is taken as a whole: described for good, free of what a killed trainer left, or gone again. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { RUN_JSON } from "../../extension/protocol/runFolder";
import { makeRunFolder } from "../../extension/runs/newFolder";
import { order } from "../../extension/runs/order";
import { openNew } from "../../extension/trainer/session";
import { fakeAddon } from "./fakeAddon";
import { smallDisk, temporaryFolder } from "./folders";
import { begin, eventOf, eventsOf, read, resume } from "./runs";

/** Paths of the files and folders that are synced, in order, until the test ends. */
async function syncedPaths(t: TestContext): Promise<string[]> {
  const synced: string[] = [];
  const handle = await open(process.execPath);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  for (const method of ["sync", "datasync"] as const) {
    const sound = prototype[method];
    t.mock.method(prototype, method, function (this: FileHandle) {
      synced.push(readlinkSync(`/proc/self/fd/${this.fd}`));
      return sound.call(this);
    });
  }
  return synced;
}

describe("a new run's folder", () => {
  it("survives a power cut: files before their names, names up to the first folder that was there", async (t) => {
    if (!existsSync("/proc/self/fd")) return t.skip("which files are synced is seen in /proc");
    const place = temporaryFolder(t);
    const synced = await syncedPaths(t);
    const { folder, done } = await begin(t, { steps: 1 }, {}, undefined, place);
    const begun = [...synced];
    await done;
    const part = begun.findIndex((path) => path === join(folder, `${RUN_JSON}.${process.pid}.part`));
    assert.ok(part >= 0, "run.json is synced before it has its name");
    assert.ok(begun.indexOf(folder) > part, "then its name");
    assert.ok(begun.includes(join(folder, "events.jsonl")), "that it was started");
    for (const above of [dirname(folder), place]) assert.ok(begun.includes(above), `${above} holds a new folder`);
    assert.ok(synced.slice(begun.length).includes(folder), "the folder of checkpoints has a name, too");
  });

  it("on a disk without room begins, or is gone with a sentence: there is no half of one", async (t) => {
    const place = smallDisk(t, 256);
    if (place === undefined) return;
    const filler = join(place, "filler");
    const outcomes: string[] = [];
    for (let pages = 0; pages < 12; pages++) {
      const onCreate = (): void => {
        mkdirSync(join(place, "runs"), { recursive: true });
        try {
          writeFileSync(filler, new Uint8Array(1 << 20));
        } catch (error) {
          assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
        }
        truncateSync(filler, readFileSync(filler).length - 4096 * pages);
      };
      try {
        const running = await begin(t, { steps: 1e6, checkpoints: { every: 0 } }, { onCreate, milliseconds: 5 }, undefined, place);
        outcomes.push("begins");
        rmSync(filler);
        await order(running.folder, { do: "stop" });
        await running.done;
        rmSync(running.folder, { recursive: true });
      } catch (error) {
        assert.ok(error instanceof Error && error.name === "UserError", String(error));
        assert.match(
          error.message,
          /(cannot be written to|which is not possible): ENOSPC.*(Free space, or choose another folder\.|writable\.)$/,
        );
        outcomes.push("is gone");
        rmSync(filler);
      }
      assert.deepEqual(readdirSync(join(place, "runs")), []);
    }
    assert.deepEqual([...new Set(outcomes)].sort(), ["begins", "is gone"]);
  });

  it("is not one that holds a run", async (t) => {
    const { folder, done } = await begin(t, { steps: 2 });
    await done;
    const before = eventsOf(folder).length;
    const { spec } = (await read(folder)).run!;
    const ignore = (): void => undefined;
    await assert.rejects(
      openNew(fakeAddon(), spec, null, async () => folder, ignore),
      { name: "UserError", message: `${folder}: expected a folder for a new run, it holds one. Choose another.` },
    );
    assert.equal(eventsOf(folder).length, before);
  });

  it("has a name that was free", async (t) => {
    const runs = join(temporaryFolder(t), "a", "b");
    const made = await Promise.all(Array.from({ length: 3 }, () => makeRunFolder(runs, "x.muonscope.json")));
    assert.equal(new Set(made).size, 3);
  });
});

describe("what a killed trainer left", () => {
  it("goes when the run is opened again; what others put there stays", async (t) => {
    const running = await begin(t, { steps: 1e6, checkpoints: { every: 5 } }, { milliseconds: 2 });
    await eventOf(running, "checkpoint");
    await order(running.folder, { do: "stop" });
    await running.done;
    const mine = ["run.json.part", "run.json.77.part", join("checkpoints", "step-00000003.safetensors.77.part")];
    const others = ["notes.part", "run.json.mine.part", join("checkpoints", "weights.77.part"), join("checkpoints", "step-3.part")];
    for (const name of [...mine, ...others]) writeFileSync(join(running.folder, name), "half");
    const again = await resume(running.folder, { milliseconds: 2 });
    assert.deepEqual(
      mine.filter((name) => existsSync(join(running.folder, name))),
      [],
    );
    assert.deepEqual(
      others.filter((name) => !existsSync(join(running.folder, name))),
      [],
    );
    await order(running.folder, { do: "stop" });
    await again.done;
  });
});
