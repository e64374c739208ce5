// `npm run gpu-check`: everything that needs a GPU, in under ten minutes; further arguments go to test/gpu/check.ts.
// `npm run gpu-check -- --pack FILE.tar.xz`: packs it for a machine that has nothing but the driver, the CUDA libraries and,
// for the comparisons, PyTorch: unpack it there and run `sh gpu-check.sh`.
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "./build.mjs";
import { buildTests, EVERY_GPU, neededLibraries } from "./build-native.mjs";
import { addonBinary, cudaLibrary, dist, findProgram, root } from "./places.mjs";
import { capture, entry, Failure, passThrough, runStep } from "./shell.mjs";

const LARGEST_PACK = 60e6;
/** Enough for a short training run. */
const TEXT_BYTES = 1e6;
const name = "muonscope-gpu-check";
const folder = join(root, "build", name);

/** The project's own sources. */
function text() {
  const sources = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((file) => /^(extension|webview|native|scripts|test)\/.*\.(ts|mjs|cc|cu|cuh|h)$/.test(file))
    .sort();
  return sources
    .map((file) => readFileSync(join(root, file), "utf8"))
    .join("\n")
    .slice(0, TEXT_BYTES);
}

/** One folder with everything in it: the bundles find the addon beside them, and the addon the CUDA backend. */
async function assemble(nativeTests) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const take = (file, as) => copyFileSync(file, join(folder, as));
  take(addonBinary, "muonscope.node");
  take(cudaLibrary, "muonscope_cuda.so");
  take(nativeTests, "muonscope_tests");
  for (const [library, file] of await neededLibraries(addonBinary)) take(file, library);
  take(join(dist, "trainer.js"), "trainer.js");
  take(join(dist, "test", "gpu", "check.js"), "check.js");
  take(join(dist, "test", "golden", "golden.js"), "golden.js");
  take(join(dist, "test", "cuda", "engine.test.js"), "engine.test.js");
  take(join(root, "test", "gpu", "torch_gpu.py"), "torch_gpu.py");
  const golden = resolve(root, process.env.MUONSCOPE_GOLDEN || join("..", "shared", "golden", "trajectories.safetensors"));
  if (existsSync(golden)) take(golden, "trajectories.safetensors");
  writeFileSync(join(folder, "text.txt"), text());
  const { output } = await capture("git", ["describe", "--always", "--dirty"], { allowFailure: true });
  writeFileSync(join(folder, "commit.txt"), output);
}

async function pack(file) {
  copyFileSync(process.execPath, join(folder, "node"));
  const strip = findProgram("strip");
  for (const program of strip ? ["node", "muonscope_tests", "muonscope.node", "muonscope_cuda.so"] : [])
    await capture(strip, [join(folder, program)]);
  writeFileSync(join(folder, "gpu-check.sh"), '#!/bin/sh\ncd "$(dirname "$0")" && exec ./node check.js "$@"\n');
  chmodSync(join(folder, "gpu-check.sh"), 0o755);
  await runStep("Packing", "tar", ["-C", join(root, "build"), "-cJf", file, name], { env: { XZ_OPT: "-9 -T0" } });
  const { size } = statSync(file);
  if (size > LARGEST_PACK) throw new Failure(`${file} should have at most ${LARGEST_PACK / 1e6} MB, but has ${size / 1e6} MB.`);
  console.log(`${file}: ${(size / 1e6).toFixed(1)} MB. Unpack it on a machine with a GPU and run  sh ${name}/gpu-check.sh`);
}

await entry(async () => {
  const args = process.argv.slice(2);
  await build({ cuda: true, gpus: args[0] === "--pack" ? EVERY_GPU : undefined });
  await assemble(await buildTests({ sanitize: false }));
  if (args[0] !== "--pack") process.exitCode = await passThrough(process.execPath, [join(folder, "check.js"), ...args]);
  else if (args.length === 2) await pack(resolve(args[1]));
  else throw new Failure("Expected the file to pack into: npm run gpu-check -- --pack FILE.tar.xz");
});
