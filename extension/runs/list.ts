/** Finds the runs in a folder of runs. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { RUN_JSON } from "../protocol/runFolder";

export const isEventFile = (name: string): boolean => name.includes(".tfevents.");

/** A folder is a run when it holds a `run.json` or a TensorBoard log. */
export async function isRun(folder: string): Promise<boolean> {
  return (await readdir(folder)).some((name) => name === RUN_JSON || isEventFile(name));
}

/** Absolute paths of the runs directly below `runsFolder`, newest name first; empty when there is no such folder. */
export async function listRuns(runsFolder: string): Promise<string[]> {
  let entries;
  try {
    entries = await readdir(runsFolder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => join(runsFolder, entry.name));
  // A folder that vanishes or may not be read is not a run that can be shown.
  const found = await Promise.all(folders.map((folder) => isRun(folder).catch(() => false)));
  return folders
    .filter((_, i) => found[i])
    .sort()
    .reverse();
}
