/** Starts the trainer as a process of its own, which outlives the editor. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { EVENTS_JSONL, RUN_JSON, TRAINER_LOG, type RunEvent } from "../protocol/runFolder";
import type { DeviceChoice } from "./devices";
import { makeRunFolder } from "./newFolder";
import { openToAppend, refuseForeign } from "./ownFiles";
import { goLast } from "./priority";
import { LineTail } from "./tail";
import { environmentOf, nodeOf, type TrainerProgram } from "./trainerProgram";
import { UserError } from "./userError";

export interface LaunchOptions extends TrainerProgram {
  /** A run file, a run file's content (a template; `file` is where it would stand, for its globs), or a run to go on with. */
  source: { runFile: string } | { content: unknown; file: string } | { resume: string };
  /** Where new runs go. */
  runsFolder: string;
  /** What a new run is to run on, whatever its file says. */
  device?: DeviceChoice | undefined;
  /** Told the folder of a new run before its trainer starts. The folder goes again where the trainer does not come that far. */
  onFolder?: (folder: string) => void;
}

/** Milliseconds between looks for the first sign of life. */
const LOOK = 30;

/** Resolves when the run is described and its trainer has started. Rejects with the trainer's own message when it fails before. */
export async function launch(options: LaunchOptions): Promise<{ folder: string; pid: number }> {
  const { source } = options;
  const resumed = "resume" in source;
  const file = "runFile" in source ? source.runFile : "file" in source ? source.file : "";
  const folder = resumed ? source.resume : await makeRunFolder(options.runsFolder, file);
  if (resumed) await refuseForeign(folder);
  else options.onFolder?.(folder);
  const logPath = join(folder, TRAINER_LOG);
  const before = existsSync(logPath) ? (await stat(logPath)).size : 0;
  const events = new LineTail(join(folder, EVENTS_JSONL));
  if (resumed) await events.read();

  const args = resumed
    ? ["--resume", folder]
    : ["runFile" in source ? file : "-", "--as", file, "--folder", folder, ...deviceArguments(options.device)];
  const { child, ended } = await start(options, args, logPath).catch(async (error: unknown) => {
    if (!resumed) await discard(folder);
    throw error;
  });
  child.stdin?.end("content" in source ? JSON.stringify(source.content) : "");
  let gone = false;
  void ended.then(() => (gone = true));
  // The start comes before the description: it is seen once, and remembered.
  let started = false;
  while (!started || !existsSync(join(folder, RUN_JSON))) {
    const last = gone;
    if ((await events.read()).some(({ text }) => isStart(text, child.pid))) started = true;
    else if (last) throw new Error(await failure(folder, before, resumed));
    else await Promise.race([ended, setTimeout(LOOK)]);
  }
  child.unref();
  return { folder, pid: child.pid! };
}

async function start(options: LaunchOptions, args: string[], logPath: string): Promise<{ child: ChildProcess; ended: Promise<void> }> {
  const log = await openToAppend(logPath).catch((error: Error) => {
    throw error instanceof UserError
      ? error
      : new UserError(`The trainer's log cannot be written: ${error.message}. Free space, or choose another folder for runs.`);
  });
  try {
    const child = spawn(nodeOf(options), [options.trainerScript, ...args], {
      detached: true,
      windowsHide: true,
      stdio: ["pipe", log.fd, log.fd],
      env: environmentOf(options),
    });
    // At once: threads take over the priority of the one that makes them.
    const complaint = child.pid === undefined ? undefined : goLast(child.pid);
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (error) => reject(new Error(`The trainer could not be started: ${error.message}.`)));
    });
    // It ends before it has read a template: its message is in the log.
    child.stdin?.on("error", () => undefined);
    if (complaint) await log.appendFile(`${complaint}\n`);
    return { child, ended };
  } finally {
    await log.close();
  }
}

/** Always with a device: several that the run file names are refused on the CPU. */
const deviceArguments = (choice: DeviceChoice | undefined): string[] =>
  choice ? ["--backend", choice.backend, "--device", String(choice.device ?? 0)] : [];

function isStart(line: string, pid: number | undefined): boolean {
  try {
    const event = JSON.parse(line) as RunEvent;
    return event.type === "started" && event.pid === pid;
  } catch {
    return false; // half a line that a power cut left; its reader warns of it
  }
}

/** What the trainer said; a run that never began leaves no folder behind. */
async function failure(folder: string, logBegin: number, resumed: boolean): Promise<string> {
  const said = (await readFile(join(folder, TRAINER_LOG))).subarray(logBegin).toString("utf8").trim();
  if (!resumed) await discard(folder);
  return said || "The trainer ended without a word before its run began.";
}

/** Removes a new run's folder, unless something was written there. */
async function discard(folder: string): Promise<void> {
  if ((await readdir(folder)).every((name) => name === TRAINER_LOG)) await rm(folder, { recursive: true });
}
