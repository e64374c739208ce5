/** The trainer: a process of its own, started by the editor (detached) or by `npm run train`. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import type { EngineDescription } from "../protocol/description";
import type { RunSpec } from "../protocol/runFile";
import { defaultRunsFolder, makeRunFolder } from "../runs/newFolder";
import { absoluteGlob, literalGlob, resolveSpec } from "../runs/spec";
import { loadAddon } from "./addon";
import { parseCommandLine, USAGE, type Command } from "./commandLine";
import { Loop } from "./loop";
import { memoryLine } from "./memory";
import { ProgressLine } from "./progress";
import { openNew, openResumed, type Session } from "./session";
import { UserError } from "../runs/userError";

type NewRun = Extract<Command, { as: string }>;

async function main(): Promise<number> {
  const command = parseCommandLine(process.argv.slice(2));
  if ("help" in command) {
    console.log(USAGE);
    return 0;
  }
  if ("backends" in command) {
    console.log(JSON.stringify(loadAddon().backends()));
    return 0;
  }
  const progress = new ProgressLine(process.stdout);
  const say = (message: string): void => progress.say(message);
  const addon = loadAddon();
  const session =
    "resume" in command
      ? await openResumed(addon, command.resume, say)
      : await openNew(addon, await readSpec(command, addon.describe()), command.file ?? null, () => makeFolder(command), say);
  return train(session, progress);
}

async function train(session: Session, progress: ProgressLine): Promise<number> {
  const { run, spec, data, engine, devices, steering, log } = session;
  progress.say(`${session.folder}\n${run.backend.detail} · ${describeData(session)}\n${memoryLine(engine.memory, devices[0])}`);
  for (const notice of data.notices) progress.say(notice);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (steering.stopping !== undefined) process.exit(130); // asked twice: at once, as shells report it
      steering.stopping = signal;
      progress.say("Stopping after this step, with a checkpoint. Again: at once, without one.");
    });
  }
  const loop = new Loop(session, progress);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", (error) => loop.outputFailed(error));
  let code = 0;
  try {
    await loop.run();
  } catch (error) {
    progress.end();
    console.error(error instanceof UserError ? error.message : `The run ${spec.name} failed: ${(error as Error).stack}`);
    code = 1;
  }
  await session.close();
  if (log.problem) {
    console.error(`The end of the log could not be written: ${log.problem.message}.`);
    code = 1;
  }
  return code;
}

function describeData({ data, engine }: Session): string {
  const count = (n: number): string => n.toLocaleString("en");
  const parameters = engine.parameters().reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  const validation = data.validation ? `, ${count(data.validation.length)} to validate on` : ", no validation";
  return `${count(parameters)} parameters · ${count(data.train.length)} tokens of ${data.files} files to train on${validation}`;
}

async function readSpec(command: NewRun, description: EngineDescription): Promise<RunSpec> {
  const source = command.file === undefined ? await text(process.stdin) : await readFile(command.file, "utf8").catch(unreadable);
  const resolved = resolveSpec(override(parseJson(source, command.as), command), description, { file: command.as });
  if ("spec" in resolved) return resolved.spec;
  throw new UserError(`${command.as} is not a run that can be started:\n${resolved.problems.map((problem) => `  ${problem}`).join("\n")}`);
}

function unreadable(error: Error): never {
  throw new UserError(`Expected a run file, it cannot be read: ${error.message}.`);
}

function parseJson(source: string, file: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new UserError(`${file}: expected JSON: ${(error as Error).message}.`);
  }
}

/** What the command line says instead of the run file. */
function override(json: unknown, { data, ...settings }: NewRun): unknown {
  if (typeof json !== "object" || json === null) return json;
  const changed: Record<string, unknown> = { ...json };
  for (const name of ["steps", "backend", "device"] as const) if (settings[name] !== undefined) changed[name] = settings[name];
  if (data !== undefined) {
    const path = resolve(data);
    const files = [existsSync(path) ? literalGlob(path) : absoluteGlob(process.cwd(), data)];
    changed["data"] = { ...(changed["data"] as object | undefined), files, exclude: [], validationFiles: [] };
  }
  return changed;
}

const makeFolder = async (command: NewRun): Promise<string> =>
  command.folder ?? makeRunFolder(command.runs ?? defaultRunsFolder(command.as), command.as);

// The log of a detached trainer may be on a disk that is full: its run says so where it can, and must not die of it.
process.stdout.on("error", () => undefined);
process.stderr.on("error", () => undefined);

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof UserError ? error.message : error);
    process.exit(1);
  },
);
