// The CUDA backend on a machine without a GPU: NVIDIA's compiler takes it for one architecture, and the same sources run
// over a stand-in for the CUDA runtime (native/test/cuda_shim), through the addon and the trainer as they ship.
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildEmulatedCuda, compileCuda, nativeFolder, neededLibraries } from "./build-native.mjs";
import { addonBinary, dist, findNvcc, python } from "./places.mjs";
import { capture, Failure, print } from "./shell.mjs";

/** Beside the bundles of test/cuda, so that they, and the trainer's, find it before the one that ships. */
const emulated = join(dist, "test", "cuda");
/** H100's machine code, and PTX: compiling is what takes the time. `npm run package` takes every GPU. */
const ONE_GPU = ["90-real", "90-virtual"];

/** What a process needs to find the stand-ins for NVIDIA's driver and for cuBLASLt. */
function emulatedEnvironment() {
  const fake = join(nativeFolder(false), "fake");
  return { LD_LIBRARY_PATH: fake, MUONSCOPE_CUDA_LIBRARIES: fake };
}

async function buildEmulated() {
  const folder = await buildEmulatedCuda();
  mkdirSync(emulated, { recursive: true });
  copyFileSync(join(folder, "emulated", "muonscope_cuda.so"), join(emulated, "muonscope_cuda.so"));
  copyFileSync(addonBinary, join(emulated, "muonscope.node"));
  for (const [name, file] of await neededLibraries(addonBinary)) copyFileSync(file, join(emulated, name));
  copyFileSync(join(dist, "trainer.js"), join(emulated, "trainer.js"));
  rmSync(join(emulated, "golden.js"), { force: true });
  cpSync(join(dist, "test", "golden", "golden.js"), join(emulated, "golden.js"));
}

/** Whether NVIDIA's compiler makes the library, and what it needs of a machine; where there is no compiler, why not. */
async function compiled(noNvcc) {
  if (noNvcc) return { passed: 0, failed: 0, skipped: 1, reasons: [`not compiled by nvcc: ${noNvcc}`] };
  const library = await compileCuda(ONE_GPU);
  const needed = [...(await neededLibraries(library)).keys()];
  if (needed.length > 0) throw new Failure(`${library} should need nothing that a bare machine lacks, but needs ${needed.join(", ")}.`);
  print(`✔ nvcc compiles it for ${ONE_GPU.join(" and ")}: ${(statSync(library).size / 1e6).toFixed(1)} MB`);
  return { passed: 1, failed: 0, skipped: 0, reasons: [] };
}

/** NVIDIA's own header, of a toolkit or a wheel, against which our declarations are checked. */
function cublasLtHeader() {
  const wheels = (lib) =>
    existsSync(lib)
      ? readdirSync(lib).flatMap((version) =>
          ["cu13", "cublas"].map((name) => join(lib, version, "site-packages", "nvidia", name, "include")),
        )
      : [];
  const toolkits = [process.env.CUDA_PATH, process.env.CUDA_HOME, "/usr/local/cuda"]
    .filter(Boolean)
    .map((folder) => join(folder, "include"));
  return [...toolkits, ...wheels(join(resolve(python, "..", ".."), "lib"))].find((folder) => existsSync(join(folder, "cublasLt.h")));
}

async function checkAbi() {
  const [header, nvcc] = [cublasLtHeader(), findNvcc()];
  if (!header || !nvcc) {
    const reason = "cublasLt.h and nvcc are not both here: what is declared of cuBLASLt was not compared with it";
    return { passed: 0, failed: 0, skipped: 1, reasons: [reason] };
  }
  const check = join("native", "test", "cublaslt_abi_check.cc");
  await capture(nvcc, ["-std=c++20", "-I", header, "-I", "native", "-include", "cublasLt.h", "-c", check, "-o", "/dev/null"]);
  print(`✔ our declarations of cuBLASLt are NVIDIA's (${header})`);
  return { passed: 1, failed: 0, skipped: 0, reasons: [] };
}

/** The counts of its parts. `nodeTests` and `goldenCases`: those of suites.mjs. */
export async function runCudaSuite(installing, nodeTests, goldenCases) {
  const counts = [await compiled(await installing.cuda), await checkAbi()];
  if (process.platform === "linux") {
    await buildEmulated();
    counts.push(await goldenCases(join(emulated, "golden.js"), emulatedEnvironment(), "cuda"));
    counts.push(await nodeTests("cuda", emulatedEnvironment()));
  } else counts.push({ passed: 0, failed: 0, skipped: 1, reasons: ["the CUDA backend is for Linux"] });
  return counts;
}
