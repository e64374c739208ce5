/** Checkpoints: complete or not there; damaged ones are passed over with a word. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  findCheckpoint,
  pruneCheckpoints,
  readCheckpoint,
  writeCheckpoint,
  type CheckpointContent,
} from "../../extension/trainer/checkpoints";
import { temporaryFolder } from "./folders";

const content = (step: number): CheckpointContent => ({
  step,
  position: step * 16,
  lrFactor: 0.5,
  knobs: { w: { lr: 0.1, normalize: false, scale: "paper" } },
  tensors: [
    { name: "weight.w", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, step) },
    { name: "optimizer.momentum.w", shape: [1], data: Float32Array.of(1e-40) },
  ],
});

describe("a checkpoint", () => {
  it("is read as it was written", async (t) => {
    const folder = temporaryFolder(t);
    const file = await writeCheckpoint(folder, content(500));
    assert.equal(file, join("checkpoints", "step-00000500.safetensors"));
    assert.deepEqual(await readCheckpoint(join(folder, file)), content(500));
  });

  const none: ReadonlySet<string> = new Set();
  const left = (folder: string): number[] => readdirSync(join(folder, "checkpoints")).map((name) => Number(/\d+/.exec(name)![0]));
  const name = (step: number): string => join("checkpoints", `step-${String(step).padStart(8, "0")}.safetensors`);

  it("the last ones are kept, nothing is left aside", async (t) => {
    const folder = temporaryFolder(t);
    for (const step of [5, 10, 20, 1000]) {
      await writeCheckpoint(folder, content(step));
      await pruneCheckpoints(folder, 2, step, none);
    }
    assert.deepEqual(readdirSync(join(folder, "checkpoints")), ["step-00000020.safetensors", "step-00001000.safetensors"]);
  });

  it("stays when it was just written, however many are of later steps: those go first", async (t) => {
    const folder = temporaryFolder(t);
    for (const step of [10, 30, 40, 20]) await writeCheckpoint(folder, content(step));
    await pruneCheckpoints(folder, 3, 20, none);
    assert.deepEqual(left(folder), [10, 20, 40]);
    await pruneCheckpoints(folder, 2, 20, none);
    assert.deepEqual(left(folder), [10, 20]);
    await pruneCheckpoints(folder, 0, 20, none);
    assert.deepEqual(left(folder), [20], "whatever a damaged run.json asks for");
  });

  it("stays while there are damaged ones: those go first", async (t) => {
    const folder = temporaryFolder(t);
    for (const step of [10, 20, 30, 40]) await writeCheckpoint(folder, content(step));
    await pruneCheckpoints(folder, 3, 40, new Set([name(20), name(30)]));
    assert.deepEqual(left(folder), [10, 30, 40]);
    await pruneCheckpoints(folder, 2, 40, new Set([name(30)]));
    assert.deepEqual(left(folder), [10, 40]);
  });

  it("that cannot be written leaves nothing behind and the others as they were", async (t) => {
    const folder = temporaryFolder(t);
    await writeCheckpoint(folder, content(1));
    mkdirSync(join(folder, "checkpoints", "step-00000002.safetensors")); // a folder cannot be replaced by a file
    await assert.rejects(writeCheckpoint(folder, content(2)));
    assert.deepEqual(readdirSync(join(folder, "checkpoints")).sort(), ["step-00000001.safetensors", "step-00000002.safetensors"]);
  });

  it("that is damaged is passed over for the one before, and said", async (t) => {
    const folder = temporaryFolder(t);
    for (const step of [1, 2, 3, 4]) await writeCheckpoint(folder, content(step));
    const path = (step: number): string => join(folder, name(step));
    truncateSync(path(4), 60);
    const flipped = readFileSync(path(3));
    flipped[flipped.length - 1]! ^= 1;
    writeFileSync(path(3), flipped);
    const { file, content: found, damaged } = await findCheckpoint(folder);
    assert.deepEqual([file, found?.step], [name(2), 2]);
    assert.deepEqual(
      damaged.map((each) => each.file),
      [name(4), name(3)],
    );
    assert.match(damaged[0]!.message, /step-00000004\.safetensors cannot be used: the header claims \d+ bytes, the file has 60/);
    assert.match(damaged[1]!.message, /step-00000003\.safetensors cannot be used: its tensors have the checksum/);
  });

  it("every flipped byte of it is noticed", async (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, await writeCheckpoint(folder, content(7)));
    const whole = readFileSync(path);
    let harmless = 0;
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x01;
      writeFileSync(path, damaged);
      // A name or a number of the header may become another valid one; what it then says differs.
      const read = await readCheckpoint(path).catch(() => undefined);
      if (read !== undefined && JSON.stringify(read) === JSON.stringify(content(7))) harmless++;
    }
    // The padding behind the header is white space, of which a tab or a line break are others.
    assert.ok(harmless <= 8, `${harmless} flips went unnoticed`);
  });

  it("there is none in a new folder", async (t) => {
    assert.deepEqual(await findCheckpoint(temporaryFolder(t)), { file: "", content: undefined, damaged: [] });
  });
});
