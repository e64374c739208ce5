/** Finds the runs in a folder of runs. */
import { join } from "node:path";
import { RUN_JSON } from "../protocol/runFolder";
import { namesIn, sizeOf } from "./files";

export const isEventFile = (name: string): boolean => name.includes(".tfevents.");

/** A folder is a run when it holds a `run.json` or a TensorBoard log. */
export async function isRun(folder: string): Promise<boolean> {
  if ((await sizeOf(join(folder, RUN_JSON))) !== undefined) return true;
  return (await namesIn(folder)).some(({ name }) => name === RUN_JSON || isEventFile(name));
}

/** Folders that are looked into at a time. */
const AT_ONCE = 16;

/**
 * Absolute paths of the runs directly below `runsFolder`, newest name first; empty when there is no such folder. A few at a time:
 * a folder of very many takes longer and holds nobody. Links to folders are not followed.
 */
export async function listRuns(runsFolder: string): Promise<string[]> {
  let entries;
  try {
    entries = await namesIn(runsFolder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const folders = entries.filter(({ isFolder }) => isFolder).map(({ name }) => join(runsFolder, name));
  const found: string[] = [];
  for (let at = 0; at < folders.length; at += AT_ONCE) {
    const some = folders.slice(at, at + AT_ONCE);
    // A folder that vanishes or may not be read is not a run that can be shown.
    const runs = await Promise.all(some.map((folder) => isRun(folder).catch(() => false)));
    found.push(...some.filter((_, i) => runs[i]));
  }
  return found.sort().reverse();
}
