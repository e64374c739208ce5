/** One trainer for one run folder: a lock file that names its process. */
import { randomUUID } from "node:crypto";
import { lstatSync, rmSync } from "node:fs";
import { link, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { openToRead } from "../runs/ownFiles";
import { isAlive, processStart } from "../runs/processes";
import { UserError } from "../runs/userError";

export interface Owner {
  pid: number;
  host: string;
  processStart: string;
}

export async function thisProcess(): Promise<Owner> {
  return { pid: process.pid, host: hostname(), processStart: (await processStart(process.pid)) ?? "" };
}

/** Resolves to what releases it. Rejects when another trainer, alive or on another machine, has the folder. */
export async function lock(folder: string, owner: Owner): Promise<() => void> {
  const mine = join(folder, `trainer.${randomUUID()}.lock`);
  try {
    await writeFile(mine, JSON.stringify(owner), { flag: "wx" });
    return await acquire(join(folder, "trainer.lock"), mine);
  } finally {
    await rm(mine, { force: true });
  }
}

async function acquire(path: string, mine: string): Promise<() => void> {
  for (;;) {
    try {
      await link(mine, path); // of several, one succeeds
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const found = await readIfThere(path);
    if (found === undefined) continue;
    await refuseIfHeld(found, path);
    // Its process is gone. Who takes it over holds a lock for that, so that nobody replaces another one's fresh lock.
    const release = await acquire(`${path}.takeover`, mine);
    try {
      if ((await readIfThere(path)) !== found) continue;
      const copy = `${mine}.copy`;
      await link(mine, copy);
      await rename(copy, path);
      break;
    } finally {
      release();
    }
  }
  // Nobody else removes a living process's lock; but in the place of a folder that was moved there may be another one, with its own.
  const ours = lstatSync(path, { bigint: true });
  return () => {
    const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (found?.ino === ours.ino && found.dev === ours.dev) rmSync(path, { force: true });
  };
}

async function readIfThere(path: string): Promise<string | undefined> {
  let file;
  try {
    file = await openToRead(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

async function refuseIfHeld(content: string, path: string): Promise<void> {
  let owner: Owner;
  try {
    owner = JSON.parse(content) as Owner;
  } catch {
    return; // links are complete when they appear: torn by a crash of the machine, whose processes are gone
  }
  if (owner.host === hostname() && !(await isAlive(owner.pid, owner.processStart))) return;
  throw new UserError(
    `Another trainer (process ${owner.pid} on ${owner.host}) writes to this run. Stop it first. ` +
      `If that machine is gone for good, delete ${path}.`,
  );
}
