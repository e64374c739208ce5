/** Finds the runs in a folder of runs. */
import { join } from "node:path";
import { RUN_JSON } from "../protocol/runFolder";
import { namesIn, sizeOf } from "./files";
import { Slices } from "./slices";

export const isEventFile = (name: string): boolean => name.includes(".tfevents.");

/** A folder is a run when it holds a `run.json` or a TensorBoard log. */
export async function isRun(folder: string): Promise<boolean> {
  if ((await sizeOf(join(folder, RUN_JSON))) !== undefined) return true;
  return (await namesIn(folder)).some(({ name }) => name === RUN_JSON || isEventFile(name));
}

/**
 * Absolute paths of the runs directly below `runsFolder`, newest name first; empty when there is no such folder. One by one: a
 * folder of very many takes longer and holds nobody. Links to folders are not followed.
 */
export async function listRuns(runsFolder: string): Promise<string[]> {
  let entries;
  try {
    entries = await namesIn(runsFolder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const found: string[] = [];
  const slices = new Slices();
  for (const { name, isFolder } of entries.sort((a, b) => (a.name < b.name ? 1 : -1))) {
    const folder = join(runsFolder, name);
    // A folder that vanishes or may not be read is not a run that can be shown.
    if (isFolder && (await isRun(folder).catch(() => false))) found.push(folder);
    await slices.breathe();
  }
  return found;
}
