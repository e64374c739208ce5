/** Makes the folder of a new run. */
import { mkdir, rmdir } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { syncFolder } from "./durable";
import { RUN_FILE_SUFFIX } from "./spec";
import { UserError } from "./userError";

/** Where the runs of a run file go unless told otherwise: beside it. */
export const defaultRunsFolder = (runFile: string): string => join(dirname(runFile), ".muonscope", "runs");

/** What a run is called while nothing but its folder is known: the folder's name, without the time that `makeRunFolder` puts before. */
export const nameOfFolder = (folder: string): string => basename(folder).replace(/^\d{4}-\d\d-\d\d-\d{6}-(?=.)/, "");

/** Absolute path of a folder that was not there before, named after the time and the run file. Rejects with what to do. */
export async function makeRunFolder(runsFolder: string, runFile: string): Promise<string> {
  const name = basename(runFile)
    .replace(RUN_FILE_SUFFIX, "")
    .replace(/[^\w.-]+/g, "-");
  const time = new Date().toISOString().slice(0, 19).replace("T", "-").replaceAll(":", "");
  try {
    await makeDurable(runsFolder);
    for (let n = 1; ; n++) {
      const folder = join(runsFolder, n === 1 ? `${time}-${name}` : `${time}-${name}-${n}`);
      try {
        await mkdir(folder);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
        continue;
      }
      try {
        await syncFolder(runsFolder);
      } catch (error) {
        await rmdir(folder);
        throw error;
      }
      return folder;
    }
  } catch (error) {
    throw new UserError(
      `Runs are to be written to ${runsFolder}, which is not possible: ${(error as Error).message}. Choose another folder, or make this one writable.`,
    );
  }
}

/** With the folders above it that are missing. */
async function makeDurable(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  // A new folder's name is in the one above it.
  let above = dirname(first);
  for (const name of relative(above, folder).split(sep)) {
    await syncFolder(above);
    above = join(above, name);
  }
}
