/** Launching, whatever the trainer's timing: scripts in its place that are early, late or gone at once. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { DeviceChoice } from "../../extension/runs/devices";
import { launch } from "../../extension/runs/launch";
import { RunReader } from "../../extension/runs/runFolder";
import { temporaryFolder } from "./folders";

/** A trainer of these lines; `folder` is where its run goes. */
function trainer(t: TestContext, lines: string): { trainerScript: string; runsFolder: string; source: { runFile: string } } {
  const place = temporaryFolder(t);
  const script = join(place, "trainer.js");
  writeFileSync(
    script,
    `const { writeFileSync, appendFileSync } = require("node:fs");
const { join } = require("node:path");
const folder = process.argv[process.argv.indexOf("--folder") + 1];
const started = () => appendFileSync(join(folder, "events.jsonl"), JSON.stringify({ type: "started", pid: process.pid }) + "\\n");
const described = () => writeFileSync(join(folder, "run.json"), "{}");
${lines}`,
  );
  return { trainerScript: script, runsFolder: join(place, "runs"), source: { runFile: join(place, "x.muonscope.json") } };
}

describe("a launch", { timeout: 60_000 }, () => {
  for (const [what, lines] of [
    ["tells that it started long before it describes its run", "started(); setTimeout(described, 300)"],
    ["describes its run before it tells that it started", "described(); setTimeout(started, 300)"],
    ["does both and is gone at once", "started(); described()"],
  ] as const) {
    it(`of a trainer that ${what} succeeds`, async (t) => {
      const { folder, pid } = await launch(trainer(t, lines));
      assert.match(readFileSync(join(folder, "events.jsonl"), "utf8"), new RegExp(`"pid":${pid}`));
    });
  }

  it("names the folder before the trainer starts, so that it can be looked at: there is nothing in it, and its run is starting", async (t) => {
    const seen: { files: string[]; status: Promise<string> }[] = [];
    const onFolder = (place: string) => {
      const reader = new RunReader(place);
      seen.push({ files: readdirSync(place), status: reader.poll().then(() => reader.state().status) });
    };
    await launch({ ...trainer(t, "setTimeout(() => (started(), described()), 200)"), onFolder });
    assert.deepEqual(
      seen.map(({ files }) => files),
      [[]],
    );
    assert.equal(await seen[0]!.status, "starting");
  });

  it("lets others go first: the trainer has less than normal priority, among sessions, too", async (t) => {
    const lines = `const { existsSync, readFileSync } = require("node:fs");
const session = "/proc/self/autogroup";
const niceness = [require("node:os").getPriority()];
if (existsSync(session)) niceness.push(Number(/nice (-?\\d+)/.exec(readFileSync(session, "utf8"))[1]));
writeFileSync(join(folder, "said"), JSON.stringify(niceness));
started(); described()`;
    const { folder } = await launch(trainer(t, lines));
    const { PRIORITY_BELOW_NORMAL } = constants.priority;
    const expected = existsSync("/proc/self/autogroup") ? [PRIORITY_BELOW_NORMAL, PRIORITY_BELOW_NORMAL] : [PRIORITY_BELOW_NORMAL];
    assert.deepEqual(JSON.parse(readFileSync(join(folder, "said"), "utf8")), expected);
  });

  it("passes on the chosen device and where the libraries are", async (t) => {
    const said = 'writeFileSync(join(folder, "said"), JSON.stringify([process.argv.slice(2), process.env.MUONSCOPE_CUDA_LIBRARIES]));';
    const options = trainer(t, `${said} started(); described()`);
    const { runFile } = options.source;
    const choices: [DeviceChoice | undefined, string[]][] = [
      [{ backend: "cuda", device: 1 }, ["--backend", "cuda", "--device", "1"]],
      [{ backend: "cuda", device: [0, 1] }, ["--backend", "cuda", "--device", "0,1"]],
      [{ backend: "cpu" }, ["--backend", "cpu", "--device", "0"]],
      [undefined, []],
    ];
    for (const [device, args] of choices) {
      const { folder } = await launch({ ...options, device, cudaLibraries: ["/a", "/b"] });
      const expected = [[runFile, "--as", runFile, "--folder", folder, ...args], "/a:/b"];
      assert.deepEqual(JSON.parse(readFileSync(join(folder, "said"), "utf8")), expected);
    }
  });

  it("passes on an explanation of many lines as it is", async (t) => {
    const explanation = `No NVIDIA driver was found:\n  libcuda.so.1: ${"not there ".repeat(200)}\n\nInstall driver 580 or later.`;
    await assert.rejects(launch(trainer(t, `console.error(${JSON.stringify(explanation)}); process.exit(1)`)), { message: explanation });
  });

  it("of a trainer that is gone at once is an error, every time", async (t) => {
    const options = trainer(t, 'console.error("It cannot be."); process.exit(1)');
    for (let i = 0; i < 5; i++) await assert.rejects(launch(options), { message: "It cannot be." });
    assert.deepEqual(readdirSync(options.runsFolder), []);
  });

  it("with a program that is not there is an error, and leaves no folder", async (t) => {
    const options = { ...trainer(t, ""), nodePath: join(temporaryFolder(t), "no-node") };
    await assert.rejects(launch(options), /The trainer could not be started: spawn .*no-node ENOENT/);
    assert.deepEqual(readdirSync(options.runsFolder), []);
  });

  it("of a trainer that dies between its start and its description is an error, and what it wrote stays", async (t) => {
    const options = trainer(t, 'started(); process.kill(process.pid, "SIGKILL")');
    await assert.rejects(launch(options), { message: "The trainer ended without a word before its run began." });
    assert.equal(readdirSync(options.runsFolder).length, 1);
  });
});
