/** Takes a run folder for this process: its lock, its log, its orders and, for a new run, what describes it. All of that, or nothing stays. */
import { existsSync } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { CHECKPOINTS, CONTROL_JSONL, RUN_JSON, type RunJson } from "../protocol/runFolder";
import { removeAsides, replaceFile, syncFolder } from "../runs/durable";
import { isRun } from "../runs/list";
import { openToAppend, refuseForeign } from "../runs/ownFiles";
import { UserError } from "../runs/userError";
import { CHECKPOINT_NAME } from "./checkpoints";
import { ControlFile } from "./control";
import { lock, thisProcess } from "./lock";
import { LogWriter } from "./logWriter";
import { Presence } from "./presence";

export interface Start {
  /** Steps made so far. */
  step: number;
  /** The first step that this log is to hold, when it continues another one; null for a new run. */
  from: number | null;
  /** The checkpoint, relative to the folder. */
  resumedFrom: string | null;
}

export interface Claim {
  log: LogWriter;
  control: ControlFile;
  presence: Presence;
  close(): Promise<void>;
}

/** Rejects with what to do. */
export async function claim(folder: string, run: RunJson, start: Start): Promise<Claim> {
  const isNew = start.from === null;
  if (isNew && (await isRun(folder))) throw new UserError(`${folder}: expected a folder for a new run, it holds one. Choose another.`);
  let unlock: (() => void) | undefined;
  let log: LogWriter | undefined;
  try {
    const owner = await thisProcess();
    unlock = await lock(folder, owner);
    await refuseForeign(folder);
    await removeLeftovers(folder);
    log = new LogWriter(folder, start.from);
    log.event({ type: "started", step: start.step, ...owner, resumedFrom: start.resumedFrom });
    await log.sync();
    if (log.problem) throw log.problem;
    if (isNew) await replaceFile(join(folder, RUN_JSON), [Buffer.from(`${JSON.stringify(run, null, 2)}\n`)]);
    await (await openToAppend(join(folder, CONTROL_JSONL))).close();
    await syncFolder(folder);
    return held(folder, log, unlock);
  } catch (error) {
    await log?.close();
    const left = isNew ? await discard(folder, log?.files ?? []) : "";
    unlock?.();
    // The launcher keeps its log there.
    if (isNew) await rmdir(folder).catch(() => undefined);
    if (error instanceof UserError) throw error;
    throw new UserError(`${folder} cannot be written to: ${(error as Error).message}. Free space, or choose another folder.${left}`, {
      cause: error,
    });
  }
}

function held(folder: string, log: LogWriter, unlock: () => void): Claim {
  const presence = new Presence(folder, log.files);
  return {
    log,
    presence,
    control: new ControlFile(folder),
    close: async () => {
      await log.close();
      presence.close();
      unlock();
    },
  };
}

/** Of a trainer that was killed while it wrote. */
async function removeLeftovers(folder: string): Promise<void> {
  await removeAsides(folder, /^run\.json$/);
  const checkpoints = join(folder, CHECKPOINTS);
  if (existsSync(checkpoints)) await removeAsides(checkpoints, CHECKPOINT_NAME);
}

/** A run that did not begin leaves nothing that looks like one. What could not be removed, as a sentence. */
async function discard(folder: string, logs: readonly string[]): Promise<string> {
  try {
    for (const path of [...logs, join(folder, RUN_JSON), join(folder, CONTROL_JSONL)]) await rm(path, { force: true });
    return "";
  } catch (error) {
    return ` What is there of a run that did not begin could not be removed: ${(error as Error).message}.`;
  }
}
