// Builds what the product runs into dist/: the addon's binary and every bundle; the CUDA backend where this machine has NVIDIA's driver,
// or where it is asked for. `npm run build`; `npm run build -- --cuda`.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { buildBundles } from "../esbuild.mjs";
import { buildAddon, buildCuda, ownGpus } from "./build-native.mjs";
import { cudaLibrary, hasNvidiaDriver } from "./places.mjs";
import { installNvcc, setup } from "./setup.mjs";
import { entry, Failure, isProgram, step } from "./shell.mjs";

/**
 * `cuda`: `true` also where there is no driver, for a machine that has one; undefined where there is one or where it was built before,
 * so that what is in dist/ is of one version. `gpus`: for which; of this machine when not given.
 */
export async function build({ cuda, gpus } = {}) {
  await setup(["compiler"]);
  await Promise.all([step("Bundling", () => buildBundles()), buildAddon()]);
  if (cuda ?? (hasNvidiaDriver() || existsSync(cudaLibrary))) await buildCudaBackend(gpus, cuda === true);
}

/** Without NVIDIA's compiler everything else works: an error only where the backend was asked for. */
async function buildCudaBackend(gpus, asked) {
  const noNvcc = await installNvcc();
  if (!noNvcc) return buildCuda(gpus ?? (await ownGpus()));
  if (asked) throw new Failure(`The CUDA backend cannot be built here: ${noNvcc}.`);
  console.log(`The CUDA backend is not built: ${noNvcc}. Runs use the CPU.`);
}

if (isProgram(import.meta.url))
  await entry(async () => {
    const { values } = parseArgs({ options: { cuda: { type: "boolean" } } });
    await build({ cuda: values.cuda });
  });
