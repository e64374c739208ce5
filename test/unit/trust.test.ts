/** In Restricted Mode a folder is looked at, and that is all: nothing is started, steered, written, or taken from its settings. */
import assert from "node:assert/strict";
import childProcess from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { activate } from "../../extension/main";
import { CONTROL_JSONL, EVENTS_JSONL } from "../../extension/protocol/runFolder";
import { Devices } from "../../extension/ui/devices";
import { commands, fake, Uri } from "./fakeVscode";
import { until } from "./folders";
import { begin } from "./runs";

interface Manifest {
  contributes: {
    commands: { command: string; enablement?: string }[];
    configuration: { properties: Record<string, { type: string }> };
  };
  capabilities: { untrustedWorkspaces: { supported: string; restrictedConfigurations: string[] } };
}

const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Manifest;

/** Commands that look and do no more. Each other one starts, steers or writes. */
const LOOKING = ["compareRuns", "openDashboard", "revealRunFolder", "openTrainerLog", "refreshRuns", "showOutput"];
const names = manifest.contributes.commands.map(({ command }) => command.replace("muonscope.", ""));
const doing = names.filter((name) => !LOOKING.includes(name));

/** Everything below a folder, with its kind, time and content. */
function stateOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return Object.fromEntries(
    files.map((name) => {
      const file = join(folder, name);
      const found = lstatSync(file);
      const content = found.isFile() ? createHash("sha256").update(readFileSync(file)).digest("hex") : "";
      return [name, `${found.mode} ${found.mtimeMs} ${content}`];
    }),
  );
}

/** Processes that would have been started. */
function watchProcesses(t: TestContext): string[] {
  const started: string[] = [];
  for (const name of ["spawn", "spawnSync", "exec", "execSync", "execFile", "execFileSync", "fork"] as const)
    t.mock.method(childProcess, name, (program: string) => {
      started.push(program);
      throw new Error(`${name} ${program}`);
    });
  return started;
}

/** A workspace with a run file and a run that its trainer, this process, is at. */
async function open(t: TestContext, trusted: boolean): Promise<{ workspace: string; run: string; file: string }> {
  const made = await begin(t, { steps: 12 });
  await made.done;
  const events = join(made.folder, EVENTS_JSONL);
  const lines = readFileSync(events, "utf8")
    .split("\n")
    .filter((line) => !line.includes('"finished"'));
  writeFileSync(events, lines.join("\n"));
  fake.reset();
  const workspace = join(made.folder, "..", "..");
  fake.folders = [workspace];
  fake.settings = { "muonscope.runsFolder": "runs", "muonscope.cudaLibraries": ["evil"], "python.defaultInterpreterPath": "/evil/python" };
  fake.trusted = trusted;
  // The first of whatever is offered.
  fake.chosen = 0;
  const file = join(workspace, "run.muonscope.json");
  writeFileSync(file, JSON.stringify({ data: { files: ["text.txt"] } }));
  return { workspace, run: made.folder, file };
}

async function start(t: TestContext): Promise<void> {
  const context = fake.context(process.cwd());
  const api = activate(context);
  t.after(() => context.subscriptions.forEach((each) => void each.dispose()));
  await until("the run", () => api.runs()[0]?.state.status === "running");
}

const command = (name: string, ...args: unknown[]): Promise<unknown> => commands.executeCommand(`muonscope.${name}`, ...args);
const messages = (): string[] => fake.said.filter(({ how }) => how === "message").map(({ text }) => text);
const UNTRUSTED = /not trusted: runs can be looked at, but not started or steered|untrusted workspace/;
const skip = process.platform !== "linux" && "elsewhere than on Linux, ps tells whether a trainer is alive";

describe("in Restricted Mode", { timeout: 60_000 }, () => {
  it("every command that starts, steers or writes is disabled, and says so when it is called all the same", { skip }, async (t) => {
    assert.ok(doing.length >= 10 && LOOKING.every((name) => names.includes(name)), names.join());
    for (const { command, enablement } of manifest.contributes.commands)
      assert.equal(enablement, LOOKING.includes(command.replace("muonscope.", "")) ? undefined : "isWorkspaceTrusted", command);
    const { workspace, run, file } = await open(t, false);
    const before = stateOf(workspace);
    const started = watchProcesses(t);
    await start(t);
    for (const name of doing)
      for (const args of [[], [run], [Uri.file(file)], [file], [run, "lr", 0.5, "*"], [run, 0.5]]) {
        const said = messages().length;
        assert.equal(await command(name, ...args), undefined, name);
        assert.match(messages().slice(said)[0] ?? "nothing was said", UNTRUSTED, `${name} ${JSON.stringify(args)}`);
      }
    assert.deepEqual([started, stateOf(workspace)], [[], before]);
  });
  it("a folder is opened, looked at, compared and watched without a process, a file or a setting of its", { skip }, async (t) => {
    const { workspace, run } = await open(t, false);
    const before = stateOf(workspace);
    const started = watchProcesses(t);
    await start(t);
    for (const name of LOOKING) for (const args of [[], [run], [Uri.file(run)]]) await command(name, ...args);
    const [panel] = fake.panels;
    assert.ok(panel);
    panel.says({ type: "ready" });
    panel.says({ type: "setKnob", knob: "lr", group: "matrix", value: 0.5, scope: null });
    for (const name of ["pauseRun", "singleStep", "checkpointNow", "measureNow", "stopRun", "resumeRun"])
      panel.says({ type: "command", command: `muonscope.${name}` });
    await until("the refusals", () => messages().filter((text) => UNTRUSTED.test(text)).length >= 7);
    assert.deepEqual([started, stateOf(workspace)], [[], before]);
    assert.deepEqual(
      fake.read.filter((name) => !["muonscope.runsFolder", "muonscope.refreshRate"].includes(name)),
      [],
      "settings, and extensions, that name programs",
    );
  });
  it("no setting of a folder is read that names a folder or a program", () => {
    const { restrictedConfigurations, supported } = manifest.capabilities.untrustedWorkspaces;
    assert.equal(supported, "limited");
    const naming = Object.entries(manifest.contributes.configuration.properties).filter(
      ([, { type }]) => !["number", "boolean"].includes(type),
    );
    assert.deepEqual(naming.map(([name]) => name).sort(), [...restrictedConfigurations].sort());
  });
  it("nothing gets the trainer's program", async (t) => {
    fake.reset();
    const started = watchProcesses(t);
    fake.trusted = false;
    const devices = new Devices(fake.context(process.cwd()));
    await assert.rejects(devices.program(undefined), UNTRUSTED);
    await assert.rejects(devices.reports(undefined), UNTRUSTED);
    assert.deepEqual([started, fake.read], [[], []]);
  });
});

describe("in a trusted workspace", { timeout: 60_000 }, () => {
  it("the same commands start and steer: these tests would see it", { skip }, async (t) => {
    const { workspace, run, file } = await open(t, true);
    const started = watchProcesses(t);
    await start(t);
    const ordered = (): string => readFileSync(join(run, CONTROL_JSONL), "utf8");
    assert.equal(ordered(), "");
    void command("pauseRun", run);
    await until("the order", () => ordered().includes('"pause"'));
    const before = stateOf(workspace);
    await command("startRun", Uri.file(file));
    assert.ok(started.includes(process.execPath), started.join());
    assert.ok(messages().some((text) => text.startsWith("The run did not start.")));
    assert.ok(fake.read.includes("muonscope.cudaLibraries"));
    assert.notDeepEqual(stateOf(workspace), before);
  });
});
