/** One trainer for one run folder: a lock file that names its process. */
import { rmSync } from "node:fs";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isAlive, processStart } from "../runs/processes";
import { UserError } from "./userError";

export interface Owner {
  pid: number;
  host: string;
  processStart: string;
}

const LOCK = "trainer.lock";

export async function thisProcess(): Promise<Owner> {
  return { pid: process.pid, host: hostname(), processStart: (await processStart(process.pid)) ?? "" };
}

/** Resolves to what releases it. Rejects when another trainer, alive or on another machine, has the folder. */
export async function lock(folder: string, owner: Owner): Promise<() => void> {
  const path = join(folder, LOCK);
  const mine = `${path}.${process.pid}`;
  await writeFile(mine, JSON.stringify(owner));
  try {
    for (;;) {
      try {
        await link(mine, path); // fails when there is one: of several only one succeeds
        return () => rmSync(path, { force: true }); // nobody takes a living process's lock: it is ours
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      await removeStale(path, mine);
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/** Takes away a lock whose process is gone; throws when it is not. */
async function removeStale(path: string, mine: string): Promise<void> {
  if (await holder(path)) await refuse(path);
  // Two may get here at once: only what was looked at may go.
  const aside = `${mine}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    if (!(await holder(aside))) return;
    await link(aside, path); // another one's fresh lock: back with it
    await refuse(path);
  } finally {
    await rm(aside, { force: true });
  }
}

async function refuse(path: string): Promise<never> {
  const owner = await read(path);
  throw new UserError(
    `Another trainer (process ${owner?.pid ?? "unknown"} on ${owner?.host ?? "unknown"}) writes to this run. Stop it first. ` +
      `If that machine is gone for good, delete ${path}.`,
  );
}

async function holder(path: string): Promise<boolean> {
  const owner = await read(path);
  if (!owner) return false;
  return owner.host !== hostname() || isAlive(owner.pid, owner.processStart);
}

/** Undefined for a lock that vanished or was torn by a crash of the machine. */
async function read(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Owner;
  } catch {
    return undefined;
  }
}
