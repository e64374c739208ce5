// Where things are: the checkout, what is built in it, and what the scripts install outside it.
import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const dist = join(root, "dist");
/** The addon's binary, beside the bundles: the one place from which it is loaded. */
export const addonBinary = join(dist, "muonscope.node");
/** The CUDA backend, beside the addon that loads it. */
export const cudaLibrary = join(dist, "muonscope_cuda.so");
export const artifacts = join(root, "artifacts");

/** Survives the checkout, so that a second clone does not install again. */
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "muonscope");

/** The first of these folders that has a program of this name, with the name; undefined when none has. */
function findIn(folders, name) {
  for (const folder of folders) {
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

/** A program on the PATH, absolute; undefined when there is none. */
export function findProgram(...names) {
  const folders = (process.env.PATH ?? "").split(delimiter);
  for (const name of names) {
    const file = findIn(folders, name);
    if (file) return file;
  }
  return undefined;
}

/** Where setup puts NVIDIA's compiler, as a Python environment of its own, when there is no CUDA toolkit. */
export const cudaEnvironment = join(cache, "cuda");

function cudaEnvironmentFolders() {
  try {
    const lib = join(cudaEnvironment, "lib");
    return readdirSync(lib).map((version) => join(lib, version, "site-packages", "nvidia", "cu13", "bin"));
  } catch {
    return [];
  }
}

/** NVIDIA's compiler: on the PATH, of the toolkit that is named or in the usual place, or of setup's own; undefined when there is none. */
export function findNvcc() {
  const toolkits = [process.env.CUDA_PATH, process.env.CUDA_HOME, "/usr/local/cuda"].filter(Boolean).map((folder) => join(folder, "bin"));
  return findProgram("nvcc") ?? findIn([...toolkits, ...cudaEnvironmentFolders()], "nvcc");
}

/** Whether this machine has NVIDIA's driver, as Linux tells: its module is loaded, or its tool or (in WSL) its library is there. */
export const hasNvidiaDriver = () =>
  existsSync("/proc/driver/nvidia/version") || findProgram("nvidia-smi") !== undefined || existsSync("/usr/lib/wsl/lib/libcuda.so.1");

/** Chromium of the system, driven by Playwright in the host and ui suites. */
export const findChromium = () =>
  process.env.MUONSCOPE_CHROMIUM || findProgram("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");

/** Python with numpy, tensorboard, safetensors and torch, for comparisons only: nothing that ships needs it. */
export const python = process.env.MUONSCOPE_PYTHON ? resolve(process.env.MUONSCOPE_PYTHON) : join(cache, "python", "bin", "python");
