/**
 * What is written into a run folder stays in it. Folders come from others, too (clones, downloads, shared disks), and a link in one
 * leads what is appended or deleted elsewhere. The folder itself may be reached through a link: that is its user's.
 */
import { constants, type Stats } from "node:fs";
import { lstat, open, readdir, readlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { CHECKPOINTS, CONTROL_JSONL, EVENTS_JSONL, RUN_JSON, TRAINER_LOG } from "../protocol/runFolder";
import { kind } from "./files";
import { isEventFile } from "./list";
import { UserError } from "./userError";

/** Grow while a run is trained. */
const APPENDED: readonly string[] = [EVENTS_JSONL, CONTROL_JSONL, TRAINER_LOG];

/** Not through a link, which Windows is asked for before; and without waiting for a pipe's other end. */
const CAREFUL = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** Rejects with what was found and what to do when a file of the run is a link, a pipe or the like. Before anything of it is read. */
export async function refuseForeign(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: Error) => {
    throw new UserError(`${folder}: expected the folder of a run, it cannot be read: ${error.message}.`);
  });
  for (const entry of entries) {
    const { name } = entry;
    const path = join(folder, name);
    if (name === CHECKPOINTS) await refuseForeignFolder(path);
    // A folder with a log's name is none, and is left alone.
    else if (name === RUN_JSON || (isEventFile(name) && !entry.isDirectory())) await refuseForeignFile(path, false);
    else if (APPENDED.includes(name)) await refuseForeignFile(path, true);
  }
}

export async function refuseForeignFolder(path: string): Promise<void> {
  const stats = await lstat(path);
  if (!stats.isDirectory()) throw foreign(path, "a folder", await kindOf(path, stats));
}

async function refuseForeignFile(path: string, appended: boolean): Promise<void> {
  const stats = await lstat(path);
  if (!isOwn(stats, appended)) throw foreign(path, "a file", await kindOf(path, stats));
}

/** Opens a file of a run to append to it, or makes it. Rejects when it is not the run's own. */
export const openToAppend = (path: string): Promise<FileHandle> =>
  openOwn(path, true, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT);

/** Opens a file of a run, which is there. Rejects when it is not the run's own. */
export const openToRead = (path: string): Promise<FileHandle> => openOwn(path, false, constants.O_RDONLY);

async function openOwn(path: string, appended: boolean, flags: number): Promise<FileHandle> {
  await refuseForeignFile(path, appended).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  const file = await open(path, flags | CAREFUL);
  // It may have been another one a moment ago.
  const stats = await file.stat();
  if (isOwn(stats, appended)) return file;
  await file.close();
  throw foreign(path, "a file", await kindOf(path, stats));
}

/** What is appended to a file of several names appears under all of them. */
const isOwn = (stats: Stats, appended: boolean): boolean => stats.isFile() && !(appended && stats.nlink > 1);

function foreign(path: string, expected: string, found: string): UserError {
  return new UserError(
    `${path}: expected ${expected} of the run's own, found ${found}. What a run writes stays in its folder. ` +
      `Put a copy in its place, or delete it if it is not yours.`,
  );
}

/** As `kind`, and what makes it another's. */
async function kindOf(path: string, stats: Stats): Promise<string> {
  if (stats.isSymbolicLink()) return `a link to ${JSON.stringify(await readlink(path))}`;
  if (stats.isFile() && stats.nlink > 1) return `a file that has ${stats.nlink} names (hard links)`;
  return kind(stats);
}
