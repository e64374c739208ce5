// Builds native/ with CMake: the addon's binary, with the libraries that it must bring along, into dist/; where asked, the CUDA backend
// beside it; and the programs that the tests run.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { addonBinary, cudaLibrary, dist, findNvcc, findProgram, root } from "./places.mjs";
import { capture, Failure, print, runStep } from "./shell.mjs";

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

/** Keeps what compilers made over clean checkouts, where there is one; the environment that makes two checkouts alike to it. */
const ccache = findProgram("ccache");
const environment = { CCACHE_BASEDIR: root, CCACHE_NOHASHDIR: "1" };

/** Compilers at a time. */
const jobs = process.env.MUONSCOPE_JOBS || String(availableParallelism());

/** CMake, with `folder` configured by these settings. */
async function configure(folder, title, settings) {
  const cmake = findProgram("cmake");
  if (!cmake) throw new Failure("CMake is needed to build the addon and was not found on the PATH. Debian's package: cmake.");
  // A folder that was copied from another checkout: CMake refuses it, and says so at length.
  const cmakeCache = join(folder, "CMakeCache.txt");
  if (existsSync(cmakeCache) && !readFileSync(cmakeCache, "utf8").includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${join(root, "native")}\n`))
    rmSync(folder, { recursive: true });
  if (existsSync(join(folder, "Makefile")) || existsSync(join(folder, "build.ninja"))) return cmake;
  const languages = settings.MUONSCOPE_CUDA ? ["C", "CXX", "CUDA"] : ["C", "CXX"];
  const launchers = ccache ? Object.fromEntries(languages.map((language) => [`CMAKE_${language}_COMPILER_LAUNCHER`, ccache])) : {};
  const defined = Object.entries({ CMAKE_BUILD_TYPE: "Release", ...launchers, ...settings }).map(([name, value]) => `-D${name}=${value}`);
  await runStep(`Configuring ${title}`, cmake, ["-S", join(root, "native"), "-B", folder, ...defined]);
  return cmake;
}

/** Folder → what is being built in it: two makes in one would undo each other's work. */
const building = new Map();

/** Builds targets in a folder that is configured by these settings. What compilers warn of is printed at the end. */
function compile(folder, title, targets, settings = {}) {
  const before = building.get(folder) ?? Promise.resolve();
  const done = before.catch(() => undefined).then(() => make(folder, title, targets, settings));
  building.set(folder, done);
  return done;
}

async function make(folder, title, targets, settings) {
  const cmake = await configure(folder, title, settings);
  const warnings = [];
  await runStep(`Building ${title}`, cmake, ["--build", folder, "-j", jobs, "--target", ...targets], {
    env: environment,
    progress: (line) => /^\[ *(\d+)(?:%|\/\d+)\]/.exec(line)?.[0].slice(1, -1).trim(),
    onLine: (line) => / warning: /.test(line) && warnings.push(line),
  });
  for (const line of warnings) print(line);
}

/** The addon, into dist/. */
export async function buildAddon() {
  const folder = nativeFolder(false);
  await compile(folder, "the addon", ["muonscope_addon"]);
  const built = join(folder, "muonscope.node");
  if (!existsSync(built)) throw new Failure(`CMake built no ${built}. Remove ${folder} and build again.`);
  mkdirSync(dist, { recursive: true });
  const needed = await neededLibraries(built);
  for (const name of readdirSync(dist)) if (/^lib.+\.so/.test(name) && !needed.has(name)) rmSync(join(dist, name));
  for (const [name, file] of needed) replaceFile(file, join(dist, name));
  replaceFile(built, addonBinary);
}

/**
 * The native tests' program, as it ships or under AddressSanitizer and UndefinedBehaviorSanitizer, with which there is an addon, too,
 * beside it. Returns the program's file.
 */
export async function buildTests({ sanitize }) {
  const folder = nativeFolder(sanitize);
  const settings = sanitize ? { CMAKE_BUILD_TYPE: "RelWithDebInfo", MUONSCOPE_SANITIZE: "ON" } : {};
  const targets = ["muonscope_tests", ...(sanitize ? ["muonscope_addon"] : [])];
  await compile(folder, sanitize ? "the native tests with sanitizers" : "the native tests", targets, settings);
  return join(folder, "muonscope_tests");
}

/** The CUDA backend over the stand-in for CUDA's runtime, and stand-ins for the driver and cuBLASLt. Returns the folder they are in. */
export async function buildEmulatedCuda() {
  await compile(nativeFolder(false), "the CUDA backend over its stand-in", ["emulated"]);
  return nativeFolder(false);
}

/** What the package holds machine code for: A100, L40 and RTX 40, H100 and H200, B200; and PTX for what comes after them. */
export const EVERY_GPU = ["80-real", "89-real", "90-real", "100-real", "100-virtual"];

/** CMake's names for the GPUs of this machine that the kernels can run on (8.0 or later); every GPU's where the driver names none. */
export async function ownGpus() {
  const query = ["--query-gpu=compute_cap", "--format=csv,noheader"];
  const smi = findProgram("nvidia-smi");
  const { code, output } = smi ? await capture(smi, query, { allowFailure: true }) : { code: 1, output: "" };
  const found = code === 0 ? (output.match(/^\d+\.\d$/gm) ?? []).filter((capability) => Number(capability) >= 8) : [];
  const names = [...new Set(found)].map((capability) => capability.replace(".", ""));
  return names.length > 0 ? names.flatMap((name) => [`${name}-real`, `${name}-virtual`]) : EVERY_GPU;
}

/** Compiles the CUDA backend for these GPUs. Returns the library's file. */
export async function compileCuda(gpus) {
  // A folder for each choice: the tests' one GPU does not undo the package's, nor the other way round.
  const folder = join(root, "build", gpus === EVERY_GPU ? "cuda" : `cuda-${gpus.join("-")}`);
  const settings = { MUONSCOPE_CUDA: "ON", MUONSCOPE_CUDA_ARCHITECTURES: gpus.join(";"), CMAKE_CUDA_COMPILER: findNvcc() };
  await compile(folder, "the CUDA backend", ["muonscope_cuda"], settings);
  return join(folder, "muonscope_cuda.so");
}

/** The CUDA backend for these GPUs, into dist/. */
export async function buildCuda(gpus) {
  mkdirSync(dist, { recursive: true });
  replaceFile(await compileCuda(gpus), cudaLibrary);
}
