/** The trainer as it ships: a process on the real engine, launched, stopped, killed and resumed. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import type { BackendReport } from "../../extension/protocol/description";
import { LOSS_TRAIN } from "../../extension/protocol/tags";
import { launch } from "../../extension/runs/launch";
import { order } from "../../extension/runs/order";
import { RunReader } from "../../extension/runs/runFolder";
import { loadAddon } from "../../extension/trainer/addon";
import { readCheckpoint } from "../../extension/trainer/checkpoints";
import { parseCommandLine } from "../../extension/trainer/commandLine";
import { temporaryFolder, until } from "./folders";
import { begin, endless, eventOf, eventsOf, read, resume, small, text, valuesOf } from "./runs";

const trainerScript = resolve("dist/trainer.js");

/** A folder with a text and a run file in it. */
function workplace(t: TestContext, json: object): { runFile: string; runsFolder: string; folder: string } {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "text.txt"), text);
  const runFile = join(folder, "tiny.muonscope.json");
  writeFileSync(runFile, JSON.stringify(json));
  return { folder, runFile, runsFolder: join(folder, "runs") };
}

async function finalStep(folder: string): Promise<number> {
  return (await read(folder)).state().step;
}

/** Whatever a test leaves running is ended with it. */
function killAfter(t: TestContext, pid: number): void {
  t.after(() => {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
    }
  });
}

describe("on the real engine", { timeout: 300_000 }, () => {
  for (const json of [
    { optimizer: { preset: "normuon" } },
    { optimizer: { preset: "normuon-speedrun", clip: 1 }, sharding: { ranks: 3 }, batch: { size: 2, accumulation: 2 } },
    { optimizer: { preset: "adamw" }, data: { files: ["text.txt"], tokenizer: "gpt2" } },
  ]) {
    it(`a resumed run equals a straight one to the last bit: ${JSON.stringify(json)}`, async (t) => {
      const straight = await begin(t, json, {}, loadAddon());
      await straight.done;
      const parted = await begin(t, json, {}, loadAddon());
      await eventOf(parted, "checkpoint");
      await order(parted.folder, { do: "stop" });
      await parted.done;
      assert.ok((await finalStep(parted.folder)) < 40, "it was stopped on its way");
      await (
        await resume(parted.folder, {}, loadAddon())
      ).done;
      assert.deepEqual(await valuesOf(parted.folder, LOSS_TRAIN), await valuesOf(straight.folder, LOSS_TRAIN));
      const last = join("checkpoints", "step-00000040.safetensors");
      assert.deepEqual(await readCheckpoint(join(parted.folder, last)), await readCheckpoint(join(straight.folder, last)));
    });
  }

  it("a toggle changes the run from its step on, and not before", async (t) => {
    const json = { ...endless, optimizer: { preset: "normuon" } };
    const toggled = await begin(t, json, {}, loadAddon());
    await eventOf(toggled, "checkpoint");
    const id = await order(toggled.folder, { set: { normalize: false } });
    const applied = await eventOf(toggled, "applied", (event) => event.order === id);
    await until("more steps", async () => (await finalStep(toggled.folder)) > applied.step + 20);
    await order(toggled.folder, { do: "stop" });
    await toggled.done;
    const plain = await begin(t, json, {}, loadAddon());
    await until("as many steps", async () => (await finalStep(plain.folder)) > applied.step + 20);
    await order(plain.folder, { do: "stop" });
    await plain.done;
    const [a, b] = [await valuesOf(toggled.folder, LOSS_TRAIN), await valuesOf(plain.folder, LOSS_TRAIN)];
    // The loss of a step is computed before its update: the first that differs is the one after it.
    assert.deepEqual(a.slice(0, applied.step), b.slice(0, applied.step));
    assert.notDeepEqual(a.slice(applied.step, applied.step + 10), b.slice(applied.step, applied.step + 10));
  });
});

describe("a launched trainer", { timeout: 300_000 }, () => {
  it("runs, stops with a checkpoint when asked by a signal, and goes on", async (t) => {
    const { runFile, runsFolder } = workplace(t, endless);
    const { folder, pid } = await launch({ source: { runFile }, runsFolder, trainerScript });
    killAfter(t, pid);
    const reader = new RunReader(folder);
    await until("steps", async () => (await reader.poll()) && reader.state().status === "running");
    assert.equal(reader.run!.runFile, runFile);
    assert.ok(existsSync(join(folder, "trainer.log")));
    process.kill(pid, "SIGTERM");
    await until("the end", async () => (await reader.poll()) && reader.state().status === "stopped");
    const stopped = reader.state();
    assert.deepEqual([stopped.reason, (await reader.checkpoints()).at(-1)!.step], ["SIGTERM", stopped.step]);

    const again = await launch({ source: { resume: folder }, runsFolder, trainerScript });
    killAfter(t, again.pid);
    assert.equal(again.folder, folder);
    await until("more steps", async () => (await reader.poll()) && reader.state().step > stopped.step + 5);
    await assert.rejects(
      launch({ source: { resume: folder }, runsFolder, trainerScript }),
      /^Error: Another trainer \(process \d+ on .*\) writes to this run\. Stop it first/,
    );
    await order(folder, { do: "stop" });
    await until("the end", async () => (await reader.poll()) && reader.state().status === "stopped");
    assert.deepEqual(reader.warnings, []);
  });

  it("takes a template's content, its globs relative to where it would stand", async (t) => {
    const { folder: place, runsFolder } = workplace(t, {});
    const { folder, pid } = await launch({
      source: { content: { ...small, steps: 5 }, file: join(place, "muon.muonscope.json") },
      runsFolder,
      trainerScript,
    });
    killAfter(t, pid);
    const reader = new RunReader(folder);
    await until("the end", async () => (await reader.poll()) && reader.state().status === "finished");
    assert.deepEqual([reader.run!.name, reader.run!.runFile], ["muon", null]);
  });

  it("logs what it took of memory itself, however large the process is that launched it", async (t) => {
    const ballast = Buffer.alloc(600 * 2 ** 20, 1);
    const { runFile, runsFolder } = workplace(t, { ...small, steps: 5 });
    const { folder, pid } = await launch({ source: { runFile }, runsFolder, trainerScript });
    killAfter(t, pid);
    const reader = new RunReader(folder);
    await until("the end", async () => (await reader.poll()) && reader.state().status === "finished");
    // Numbers may reach the folder after the event.
    await until("its memory", async () => {
      await reader.poll();
      return reader.series("memory/peak_rss") !== undefined;
    });
    const peak = reader.series("memory/peak_rss")!.values.at(-1)!;
    assert.ok(peak > 20 * 2 ** 20 && peak < ballast.length, `${peak} bytes`);
  });

  it("that cannot begin is an error with the trainer's sentence, and leaves nothing behind", async (t) => {
    const { runFile, runsFolder } = workplace(t, { ...small, steps: "many", optimizer: { normalise: true } });
    await assert.rejects(launch({ source: { runFile }, runsFolder, trainerScript }), {
      message:
        `${runFile} is not a run that can be started:\n  steps: expected an integer from 1 to 1000000000, received "many"\n` +
        `  unknown setting "optimizer.normalise"; did you mean "optimizer.normalize"?`,
    });
    assert.deepEqual(readdirSync(runsFolder), []);
    await assert.rejects(
      launch({ source: { runFile: `${runFile}x` }, runsFolder, trainerScript }),
      /Expected a run file, it cannot be read: ENOENT/,
    );
    await assert.rejects(
      launch({ source: { runFile }, runsFolder, trainerScript, nodePath: "/no/node" }),
      /The trainer could not be started: spawn \/no\/node ENOENT/,
    );
    await assert.rejects(
      launch({ source: { runFile }, runsFolder: runFile, trainerScript }),
      /Runs are to be written to .*, which is not possible/,
    );
  });
});

describe("a trainer that is killed", { timeout: 300_000 }, () => {
  it("twenty times at random moments: the folder always reads, and the run goes on as if nothing had happened", async (t) => {
    const { runFile, runsFolder } = workplace(t, endless);
    let { folder, pid } = await launch({ source: { runFile }, runsFolder, trainerScript });
    killAfter(t, pid);
    const reader = new RunReader(folder);
    for (let kill = 1; kill <= 20; kill++) {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 400));
      process.kill(pid, "SIGKILL");
      await until(`the end of trainer ${kill}`, async () => (await reader.poll(), reader.state().status === "crashed"));
      assert.match(reader.state().reason!, /gone without a word/);
      assert.deepEqual((await read(folder)).warnings, []);
      ({ pid } = await launch({ source: { resume: folder }, runsFolder, trainerScript }));
      killAfter(t, pid);
    }
    await until("the last one's steps", async () => (await reader.poll(), reader.state().status === "running"));
    await order(folder, { do: "stop" });
    await until("the end", async () => (await reader.poll(), reader.state().status === "stopped"));
    assert.deepEqual(reader.warnings, []);

    const killed = await valuesOf(folder, LOSS_TRAIN);
    assert.deepEqual(
      killed.map(([step]) => step),
      killed.map((_, i) => i + 1),
      "no step is missing or doubled",
    );
    const straight = await begin(t, endless, {}, loadAddon());
    await until("as many steps", async () => (await finalStep(straight.folder)) > killed.length);
    await order(straight.folder, { do: "stop" });
    await straight.done;
    assert.deepEqual(killed, (await valuesOf(straight.folder, LOSS_TRAIN)).slice(0, killed.length));
    const starts = eventsOf(folder).filter(({ type }) => type === "started").length;
    t.diagnostic(`${killed.length} steps in ${starts} lives`);
  });
});

describe("the command line", () => {
  const train = (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
    promisify(execFile)(process.execPath, [trainerScript, ...args]);
  it("prints plain lines without a terminal, and takes other data and fewer steps", async (t) => {
    const { folder, runFile, runsFolder } = workplace(t, { ...small, data: { files: ["elsewhere.txt"] } });
    const { stdout } = await train(
      runFile,
      "--data",
      join(folder, "text.txt"),
      "--steps",
      "7",
      "--runs",
      runsFolder,
      "--backend",
      "cpu",
      "--device",
      "3",
    );
    assert.match(
      stdout,
      /\nNeeds [\d.]+ MiB \(weights [\d.]+, gradients [\d.]+, optimizer [\d.]+, activations [\d.]+\); [\d.]+ GiB are free on this machine\.\n/,
    );
    assert.match(stdout, /step 1\/7 · loss 5\.\d{4} · validation 5\.\d{4} · [\d,]+ tokens\/s · \d+ s left\n/);
    assert.match(stdout, /Finished 7 steps in [\d.]+ s: loss [\d.]+, validation loss [\d.]+\.\n$/);
    assert.ok(!stdout.includes("\x1b") && !stdout.includes("\r"));
    const [name] = readdirSync(runsFolder);
    assert.match(name!, /^\d{4}-\d\d-\d\d-\d{6}-tiny$/);
    const { spec, memory } = (await read(join(runsFolder, name!))).run!;
    assert.deepEqual([spec.backend, spec.device], ["cpu", 3]);
    const { others = [], ...bytes } = memory!;
    assert.ok(
      Object.values(bytes).every((value) => value > 0),
      JSON.stringify(memory),
    );
    assert.deepEqual(others, []);
    await assert.rejects(train("--resume", join(runsFolder, name!)), { code: 1, stderr: /the run is finished \(step 7 of 7\)/ });
  });
  it("lists the backends of this machine", async () => {
    const reports = JSON.parse((await train("--backends")).stdout) as BackendReport[];
    assert.deepEqual(reports, loadAddon().backends());
    assert.ok(reports.some(({ id, available, devices }) => id === "cpu" && available && devices.length === 0));
    await assert.rejects(train("--backends", "--steps", "3"), {
      code: 1,
      stderr: /--backends lists and does nothing else; leave out --steps/,
    });
  });
  it("takes a device or several, which the CPU refuses", async (t) => {
    const device = (text: string): unknown => (parseCommandLine(["a", "--device", text]) as { device?: unknown }).device;
    assert.deepEqual([device("3"), device("0,12"), device("2,0,1")], [3, [0, 12], [2, 0, 1]]);
    for (const text of ["", "0,", ",1", "a", "1.5", "0, 1"])
      assert.throws(() => device(text), {
        name: "UserError",
        message: `--device: expected an integer, or several with a comma between them, received ${JSON.stringify(text)}.`,
      });
    const { runFile, runsFolder } = workplace(t, { ...small, sharding: { ranks: 2 } });
    await assert.rejects(train(runFile, "--runs", runsFolder, "--backend", "cpu", "--device", "0,1"), {
      code: 1,
      stderr: 'device: expected one on the backend "cpu", received 0, 1: several devices need backend "cuda"\n',
    });
    await assert.rejects(train(runFile, "--runs", runsFolder, "--device", "0,1,2"), {
      code: 1,
      stderr: /device: expected at most one for each rank, received 3 with sharding\.ranks 2/,
    });
  });
  it("says what it expects", async () => {
    assert.match((await train("--help")).stdout, /^Usage:/);
    await assert.rejects(train(), { code: 1, stderr: /^Expected one run file, received 0\.\n\nUsage:/ });
    await assert.rejects(train("a", "--stepps", "3"), { code: 1, stderr: /Unknown option '--stepps'/ });
    await assert.rejects(train("--resume", "x", "--steps", "3"), { code: 1, stderr: /--resume takes a run as it is; leave out --steps/ });
    await assert.rejects(train("no-such-file"), { code: 1, stderr: /Expected a run file, it cannot be read: ENOENT/ });
  });
});
