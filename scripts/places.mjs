// Where things are: the checkout, what is built in it, and what the scripts install outside it.
import { accessSync, constants, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const dist = join(root, "dist");
/** The addon's binary, beside the bundles: the one place from which it is loaded. */
export const addonBinary = join(dist, "muonscope.node");
export const artifacts = join(root, "artifacts");

/** Survives the checkout, so that a second clone does not install again. */
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "muonscope");

/** A program on the PATH, absolute; undefined when there is none. */
export function findProgram(...names) {
  for (const name of names)
    for (const folder of (process.env.PATH ?? "").split(delimiter)) {
      const file = join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        if (statSync(file).isFile()) return file;
      } catch {
        // Not here: look in the next folder.
      }
    }
  return undefined;
}

/** Chromium of the system, driven by Playwright in the host and ui suites. */
export const findChromium = () =>
  process.env.MUONSCOPE_CHROMIUM || findProgram("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");

/** Python with numpy, tensorboard, safetensors and torch, for comparisons only: nothing that ships needs it. */
export const python = process.env.MUONSCOPE_PYTHON ? resolve(process.env.MUONSCOPE_PYTHON) : join(cache, "python", "bin", "python");
