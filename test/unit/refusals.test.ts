/** Runs that cannot begin: an error that says why and what to do, and no folder. */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { EngineConfig } from "../../extension/trainer/addon";
import { fakeAddon } from "./fakeAddon";
import { temporaryFolder } from "./folders";
import { begin, small } from "./runs";

describe("what cannot begin", () => {
  it("a backend that is not there is an error with a remedy, and leaves no folder", async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, "runs"));
    const detail = 'The NVIDIA driver is too old:\n  found 535, expected 580 or later.\nInstall a newer one, or choose the backend "cpu".';
    const backends = [
      { id: "fake", available: true, detail: "a fake", devices: [] },
      { id: "cuda", available: false, detail, devices: [] },
    ];
    await assert.rejects(begin(t, { backend: "cuda" }, {}, fakeAddon({ backends }), folder), {
      name: "UserError",
      message: `backend: expected one that is there (fake) or "auto", received "cuda":\n${detail}`,
    });
    assert.deepEqual(readdirSync(join(folder, "runs")), []);
  });

  it("a GPU that is not there is an error with those that are, before the data is read", async (t) => {
    const backends = [{ id: "cuda", available: true, detail: "CUDA", devices: ["A, 80 GiB", "B, 80 GiB"] }];
    const json = { backend: "cuda", device: 2, data: { files: ["no-such-file.txt"] } };
    await assert.rejects(begin(t, json, {}, fakeAddon({ backends })), {
      name: "UserError",
      message: "device: expected one that is there, received 2:\n  0: A, 80 GiB\n  1: B, 80 GiB",
    });
    await assert.rejects(begin(t, { ...json, device: [3, 1, 2], sharding: { ranks: 3 } }, {}, fakeAddon({ backends })), {
      name: "UserError",
      message: "device: expected one that is there, received 3, 2:\n  0: A, 80 GiB\n  1: B, 80 GiB",
    });
  });

  it("several devices where there is none are an error that says what has them", async (t) => {
    const json = { device: [0, 1], sharding: { ranks: 2 }, data: { files: ["no-such-file.txt"] } };
    await assert.rejects(begin(t, json), {
      name: "UserError",
      message: 'device: expected one on the backend "fake", received 0, 1: several devices need backend "cuda"',
    });
  });

  it("what the engine refuses is an error in its words, and leaves no folder", async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, "runs"));
    const message = 'precision: expected "fp32" or "auto" on the CPU, received "bf16". Choose one of these, or a backend that has it.';
    const onCreate = ({ precision }: EngineConfig): void => {
      if (precision === "bf16") throw new Error(message);
    };
    await assert.rejects(begin(t, { precision: "bf16" }, { onCreate }, undefined, folder), { name: "UserError", message });
    assert.deepEqual(readdirSync(join(folder, "runs")), []);
  });

  it("a place that cannot hold runs is an error with a remedy", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "runs"), "a file");
    await assert.rejects(
      begin(t, small, {}, fakeAddon(), folder),
      /Runs are to be written to .*runs, which is not possible: .*Choose another folder/,
    );
  });
});
