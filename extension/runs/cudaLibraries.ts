/** Where a Python environment keeps NVIDIA's libraries: many machines have them there and nowhere else. */
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Where the wheels put their libraries: nvidia-cublas (CUDA 13), nvidia-cublas-cu12. */
const PACKAGES = ["cu13", "cublas"];

/** `python`: an interpreter or an environment's folder. Those folders of it that are there; none when it is not there itself. */
export async function pythonCudaLibraries(python: string): Promise<string[]> {
  const prefix = await prefixOf(python);
  if (prefix === undefined) return [];
  const pythons = (await names(join(prefix, "lib"))).filter((name) => name.startsWith("python3")).sort();
  return pythons
    .flatMap((name) => PACKAGES.map((each) => join(prefix, "lib", name, "site-packages", "nvidia", each, "lib")))
    .filter((folder) => existsSync(folder));
}

/** An interpreter is PREFIX/bin/python. A virtual environment's is a link out of it, which is not to be followed. */
async function prefixOf(python: string): Promise<string | undefined> {
  try {
    return (await stat(python)).isDirectory() ? python : dirname(dirname(python));
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

async function names(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
}

const isAbsence = (error: unknown): boolean => ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
