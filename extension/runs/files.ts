/**
 * The one way in for what a folder holds. Folders come from others: in place of a file there may be a link out of them, a
 * device that never ends or a pipe that never begins. Only regular files are read, and not more of them than is asked for.
 * A link is refused wherever it leads: what it leads to may change between a look and a read.
 */
import { constants, type Stats } from "node:fs";
import { lstat, open, opendir, type FileHandle } from "node:fs/promises";
import { basename } from "node:path";

/** There is something, and it is not read: the message says what it is. */
export class NotRead extends Error {}

/** Names of one folder; more are a mistake, or meant to fill the memory. */
const MOST_NAMES = 20_000;

// Windows has neither; there, the look before has to do.
const flag = (of: number | undefined): number => of ?? 0;
const READ = constants.O_RDONLY | flag(constants.O_NOFOLLOW) | flag(constants.O_NONBLOCK);

/** Bytes of a file; undefined when there is none. Rejects with NotRead when there is something else. */
export async function expectFile(path: string): Promise<number | undefined> {
  const stats = await look(path);
  if (stats && !stats.isFile()) throw new NotRead(`expected a file, found ${kind(stats)}, which is not read`);
  return stats?.size;
}

/** As `expectFile`, and whatever is not read is not there. */
export async function sizeOf(path: string): Promise<number | undefined> {
  const stats = await look(path);
  return stats?.isFile() ? stats.size : undefined;
}

/** To be closed by the caller; undefined when there is no such file. Rejects with NotRead when there is something else. */
export async function openFile(path: string): Promise<{ file: FileHandle; size: number } | undefined> {
  if ((await expectFile(path)) === undefined) return undefined;
  return opened(path, READ);
}

/** All of a file, as text; undefined when there is none. Rejects with NotRead when it has more than `most` bytes. */
export async function readText(path: string, most: number): Promise<string | undefined> {
  const found = await openFile(path);
  if (!found) return undefined;
  const { file, size } = found;
  try {
    if (size > most) throw new NotRead(`expected at most ${most} bytes, found ${size}`);
    // Not to its end, which a writer may move.
    const bytes = Buffer.alloc(size);
    let at = 0;
    for (let read = -1; at < size && read !== 0; at += read) read = (await file.read(bytes, at, size - at, at)).bytesRead;
    return bytes.toString("utf8", 0, at);
  } finally {
    await file.close();
  }
}

/** What is directly in a folder, in no order; a link is neither a file nor a folder. Rejects when it cannot be read. */
export async function namesIn(folder: string): Promise<{ name: string; isFolder: boolean }[]> {
  const found: { name: string; isFolder: boolean }[] = [];
  for await (const entry of await opendir(folder, { bufferSize: 256 })) {
    if (found.length === MOST_NAMES) throw new NotRead(`${basename(folder)}: expected at most ${MOST_NAMES} files, there are more`);
    found.push({ name: entry.name, isFolder: entry.isDirectory() });
  }
  return found;
}

/** As `namesIn`, of a folder that is not to be a link; undefined when there is none. */
export async function namesInOwn(folder: string): Promise<{ name: string; isFolder: boolean }[] | undefined> {
  const stats = await look(folder);
  if (!stats) return undefined;
  if (!stats.isDirectory()) throw new NotRead(`${basename(folder)}: expected a folder, found ${kind(stats)}, which is not read`);
  return namesIn(folder);
}

async function opened(path: string, flags: number): Promise<{ file: FileHandle; size: number }> {
  const file = await open(path, flags);
  // Something else may have come in its place since it was looked at.
  const stats = await file.stat();
  if (stats.isFile()) return { file, size: stats.size };
  await file.close();
  throw new NotRead(`expected a file, found ${kind(stats)}, which is not read`);
}

async function look(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** In words, with its article. */
export function kind(stats: Stats): string {
  if (stats.isSymbolicLink()) return "a link";
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a pipe";
  return stats.isSocket() ? "a socket" : stats.isFile() ? "a file" : "a device";
}
