// Builds native/ with CMake and puts the addon's binary, with the libraries that it must bring along, into dist/; beside it the
// CUDA backend, where NVIDIA's compiler is.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { addonBinary, cudaLibrary, dist, findNvcc, findProgram, root } from "./places.mjs";
import { capture, entry, Failure, isProgram, runStep } from "./shell.mjs";

/** Where a configuration is built: `release` ships, `sanitize` is for the native tests. */
export const nativeFolder = (sanitize) => join(root, "build", sanitize ? "native-asan" : "native");

/** Part of a system's C library, C++ run time or loader: on every machine, never shipped. */
const SYSTEM_LIBRARY = /^(linux-vdso|ld-linux.*|libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s)\.so/;

/** Shared libraries that a Linux binary needs and a bare machine lacks: name → file. */
export async function neededLibraries(binary) {
  if (process.platform !== "linux") return new Map();
  const { output } = await capture("ldd", [binary]);
  const found = new Map();
  for (const [, name, file] of output.matchAll(/^\s*(\S+) => (.+?)(?: \(0x[0-9a-f]+\))?$/gm)) {
    if (file === "not found") throw new Failure(`${basename(binary)} needs ${name}, which is not on this machine.`);
    if (!SYSTEM_LIBRARY.test(name)) found.set(name, file);
  }
  return found;
}

/** A running trainer may have the old file mapped: it is replaced by name, never overwritten. */
function replaceFile(from, to) {
  if (existsSync(to) && statSync(to).size === statSync(from).size && readFileSync(to).equals(readFileSync(from))) return;
  copyFileSync(from, `${to}.new`);
  renameSync(`${to}.new`, to);
}

async function configure(folder, sanitize) {
  const cmake = findProgram("cmake");
  if (!cmake) throw new Failure("CMake is needed to build the addon and was not found on the PATH. Debian's package: cmake.");
  // A folder that was copied from another checkout: CMake refuses it, and says so at length.
  const cmakeCache = join(folder, "CMakeCache.txt");
  if (existsSync(cmakeCache) && !readFileSync(cmakeCache, "utf8").includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${join(root, "native")}\n`))
    rmSync(folder, { recursive: true });
  if (!existsSync(join(folder, "Makefile")) && !existsSync(join(folder, "build.ninja")))
    await runStep(`Configuring the addon${sanitize ? " with sanitizers" : ""}`, cmake, [
      "-S",
      join(root, "native"),
      "-B",
      folder,
      `-DCMAKE_BUILD_TYPE=${sanitize ? "RelWithDebInfo" : "Release"}`,
      `-DMUONSCOPE_SANITIZE=${sanitize ? "ON" : "OFF"}`,
    ]);
  // Also later: a compiler may have come since.
  const nvcc = sanitize ? undefined : findNvcc();
  if (nvcc && !readFileSync(cmakeCache, "utf8").includes("MUONSCOPE_CUDA:BOOL=ON"))
    await runStep("Configuring the CUDA backend", cmake, [folder, "-DMUONSCOPE_CUDA=ON", `-DCMAKE_CUDA_COMPILER=${nvcc}`]);
  return cmake;
}

/** Compilers at a time. */
const jobs = process.env.MUONSCOPE_JOBS || String(availableParallelism());

export async function buildNative({ sanitize = false } = {}) {
  const folder = nativeFolder(sanitize);
  const cmake = await configure(folder, sanitize);
  const warnings = [];
  await runStep(`Building the addon${sanitize ? " with sanitizers" : ""}`, cmake, ["--build", folder, "-j", jobs], {
    onLine: (line) => / warning: /.test(line) && warnings.push(line),
  });
  for (const line of warnings) console.log(line);
  if (sanitize) return;
  const built = join(folder, "muonscope.node");
  if (!existsSync(built)) throw new Failure(`CMake built no ${built}. Remove ${folder} and build again.`);
  mkdirSync(dist, { recursive: true });
  const needed = await neededLibraries(built);
  for (const name of readdirSync(dist)) if (/^lib.+\.so/.test(name) && !needed.has(name)) rmSync(join(dist, name));
  for (const [name, file] of needed) replaceFile(file, join(dist, name));
  replaceFile(built, addonBinary);
  const cuda = join(folder, "muonscope_cuda.so");
  if (existsSync(cuda)) replaceFile(cuda, cudaLibrary);
}

if (isProgram(import.meta.url)) await entry(() => buildNative({ sanitize: process.argv.includes("--sanitize") }));
