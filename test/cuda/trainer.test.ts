/** A run on CUDA through the trainer as it ships, and the sentences when something that it needs is not there. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { RunFile } from "../../extension/protocol/runFile";
import type { RunJson } from "../../extension/protocol/runFolder";

const trainer = join(__dirname, "trainer.js");
let folder = "";

function run(args: string[], env: Record<string, string> = {}): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [trainer, ...args], { encoding: "utf8", env: { ...process.env, ...env } });
  return { status, output: stdout + stderr };
}

const runFile = (backend: string, change: Partial<RunFile> = {}): string => {
  const file = join(folder, `${backend}.muonscope.json`);
  const spec: RunFile = {
    ...change,
    backend,
    data: { files: ["text.txt"] },
    model: { layers: 1, width: 32, heads: 2, context: 16 },
    batch: { size: 2 },
    steps: 6,
    validation: { every: 3, batches: 1 },
    checkpoints: { every: 3 },
  };
  writeFileSync(file, JSON.stringify(spec));
  return file;
};

void describe("a run on CUDA", () => {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "muonscope-cuda-"));
    writeFileSync(join(folder, "text.txt"), "The quick brown fox jumps over the lazy dog. ".repeat(100));
  });
  after(() => rmSync(folder, { recursive: true }));

  void it("trains, says where and what it needs, and is recorded", () => {
    const runs = join(folder, "runs");
    const { status, output } = run([runFile("cuda"), "--runs", runs]);
    assert.equal(status, 0, output);
    assert.match(output, /Needs \d+(\.\d+)? [KMG]iB/);
    const [name] = readdirSync(runs);
    const json = JSON.parse(readFileSync(join(runs, name!, "run.json"), "utf8")) as RunJson;
    assert.equal(json.backend.id, "cuda");
    assert.match(json.backend.detail, /bf16/);
    const events = readFileSync(join(runs, name!, "events.jsonl"), "utf8");
    assert.match(events, /"type":"finished","step":6|"type":"finished".*"step":6/);
  });

  void it("has its ranks on several devices, and says what it needs of each", () => {
    const runs = join(folder, "several");
    const file = runFile("cuda", { device: [0, 1], sharding: { ranks: 3 } });
    const { status, output } = run([file, "--runs", runs], { MUONSCOPE_SHIM_DEVICES: "2" });
    assert.equal(status, 0, output);
    assert.match(output, /Needs .* on GPU 1; .* are free on Emulated device, .* on GPU 1\./);
    const [name] = readdirSync(runs);
    const { backend, memory } = JSON.parse(readFileSync(join(runs, name!, "run.json"), "utf8")) as RunJson;
    assert.equal(backend.device, "Emulated device, 1.0 GiB + Emulated device, 1.0 GiB");
    assert.deepEqual(
      memory?.others?.map(({ device, needed, available }) => [device, needed > 0 && needed < available]),
      [[1, true]],
    );
    const one = run([file, "--runs", join(folder, "one"), "--device", "0"]);
    const loss = (text: string): string | undefined => text.match(/loss \d+\.\d+/g)?.at(-1);
    assert.ok(loss(output) !== undefined, output);
    assert.equal(loss(output), loss(one.output), "the same as on one device");
  });

  void it("is refused with what to do where there is no driver", () => {
    const { status, output } = run([runFile("cuda"), "--runs", join(folder, "none")], { LD_LIBRARY_PATH: "" });
    assert.notEqual(status, 0);
    assert.match(output, /no NVIDIA driver: libcuda\.so\.1 was not found/);
    assert.match(output, /Install NVIDIA's driver \(580 or newer\)/);
  });

  void it("is refused with how to build it where this build has no CUDA backend; built, it works", () => {
    const library = join(__dirname, "muonscope_cuda.so");
    const aside = join(folder, "muonscope_cuda.so");
    copyFileSync(library, aside);
    rmSync(library);
    try {
      const { status, output } = run([runFile("cuda"), "--runs", join(folder, "unbuilt")]);
      assert.notEqual(status, 0);
      assert.match(output, /not in this build: there is no .*muonscope_cuda\.so\. Build it with `npm run build -- --cuda`/);
      assert.doesNotMatch(output, /no NVIDIA driver/, "the stand-in is there");
    } finally {
      copyFileSync(aside, library);
    }
    const { status, output } = run([runFile("cuda"), "--runs", join(folder, "built")]);
    assert.equal(status, 0, output);
  });

  void it("is refused with where it looked where there is no cuBLASLt", () => {
    const { status, output } = run([runFile("cuda"), "--runs", join(folder, "none")], { MUONSCOPE_CUDA_LIBRARIES: folder, PATH: "" });
    if (status === 0) return assert.match(output, /Finished/); // a real cuBLASLt is where the loader finds it
    assert.match(output, /libcublasLt\.so\.13/);
    assert.match(output, /pip install nvidia-cublas/);
  });
});
