/**
 * Golden trajectories: runs every case of a safetensors file on every backend there is and compares with its float64 results.
 *
 *   npm run golden -- FILE [BACKEND]
 *
 * One line a case and backend with its worst relative error, last the worst of all; exits with 1 when that is above 1e-4.
 * The file holds `SHAPE/w0`, `SHAPE/grads`, and of each case `RECIPE.SHAPE/w` (weights after each step) and, for the matrix
 * optimizers, `RECIPE.SHAPE/v` (second moment after each step), all float64; recipes are JSON under the metadata key "cases".
 */
import { readFileSync } from "node:fs";
import type { BackendReport, KnobValues } from "../../extension/protocol/description";
import { float64, parseSafetensors, type Tensor } from "../../extension/protocol/safetensors";
import { loadAddon, type Addon } from "../../extension/trainer/addon";
import { relativeError } from "./relativeError";

const TOLERANCE = 1e-4;

interface Recipe {
  optimizer: "adamw" | "normuon";
  lr: number;
  weightDecay: number;
  beta1: number;
  beta2: number;
  eps: number;
  nesterov: boolean;
  newtonSchulz: string;
  axis: string;
  scale: string;
  normScope: string;
  /** Ranks. */
  world: number;
  /** Switches, by step. */
  orthogonalize: boolean[];
  normalize: boolean[];
  shape: [number, number];
}

/** The switches that may differ from step to step. */
const switches = (recipe: Recipe, step: number): KnobValues => ({
  orthogonalize: recipe.orthogonalize[step]!,
  normalize: recipe.normalize[step]!,
});

function knobs(recipe: Recipe): KnobValues {
  const { lr, weightDecay, beta1, beta2, eps, nesterov, newtonSchulz, axis, scale, normScope } = recipe;
  const common = { lr, weightDecay, beta1, beta2, eps };
  if (recipe.optimizer === "adamw") return common;
  return {
    ...common,
    nesterov,
    newtonSchulz,
    axis,
    scale,
    normScope,
    normalization: "neuron",
    normalizePlace: "after",
    ...switches(recipe, 0),
  };
}

/** The worst errors of one case: of the weights' way from w0, and of the second moment. */
async function runCase(addon: Addon, backend: BackendReport, name: string, recipe: Recipe, tensor: (name: string) => Float64Array) {
  const shapeName = name.slice(name.lastIndexOf(".") + 1);
  const size = recipe.shape[0] * recipe.shape[1];
  const start = tensor(`${shapeName}/w0`);
  const gradients = tensor(`${shapeName}/grads`);
  const weights = tensor(`${name}/w`);
  const matrix = recipe.optimizer !== "adamw";
  const moments = matrix ? tensor(`${name}/v`) : undefined;
  const steps = gradients.length / size;
  const optimizer = await addon.createOptimizer({
    backend: backend.id,
    threads: 0,
    devices: [0],
    precision: "fp32", // what the tolerance is for
    preset: recipe.optimizer,
    optimizer: knobs(recipe),
    auxiliary: {},
    ranks: recipe.world,
    parameters: [{ name: "w", shape: recipe.shape, data: Float32Array.from(start), group: "matrix" }],
  });
  try {
    let weightError = 0;
    let momentError = 0;
    for (let step = 0; step < steps; step++) {
      if (matrix) optimizer.set("matrix", switches(recipe, step), "*");
      const part = <T extends Float64Array>(all: T, length: number) => all.subarray(step * length, (step + 1) * length);
      await optimizer.step([{ name: "w", shape: recipe.shape, data: Float32Array.from(part(gradients, size)) }], 1);
      weightError = Math.max(weightError, relativeError(optimizer.weight("w"), part(weights, size), start));
      if (moments) {
        const expected = part(moments, moments.length / steps);
        momentError = Math.max(momentError, relativeError(optimizer.state("second_moment.w"), expected, new Float64Array(expected.length)));
      }
    }
    return { weightError, momentError };
  } finally {
    optimizer.dispose();
  }
}

async function main(file: string | undefined, only: string | undefined): Promise<number> {
  if (file === undefined) {
    console.error("Expected a file of golden trajectories: npm run golden -- FILE.safetensors [BACKEND]");
    return 2;
  }
  const { metadata, tensors } = parseSafetensors(readFileSync(file));
  if (metadata["cases"] === undefined) throw new Error(`${file}: expected recipes under the metadata key "cases", found none.`);
  const cases = Object.entries(JSON.parse(metadata["cases"]) as Record<string, Recipe>);
  if (cases.length === 0) throw new Error(`${file}: expected at least one case, found none.`);
  const tensor = (name: string): Float64Array => {
    const found: Tensor | undefined = tensors.get(name);
    if (!found) throw new Error(`${file}: expected a tensor ${name}, found none.`);
    return float64(found);
  };
  const addon = loadAddon();
  let worst = 0;
  const backends = addon.backends().filter(({ id }) => only === undefined || id === only);
  if (only !== undefined && !backends[0]?.available)
    throw new Error(`backend: expected one that is there, received "${only}": ${backends[0]?.detail ?? "there is none of this name"}`);
  for (const backend of backends) {
    if (!backend.available) {
      console.log(`${backend.id}: skipped, not available: ${backend.detail}`);
      continue;
    }
    for (const [name, recipe] of cases) {
      const { weightError, momentError } = await runCase(addon, backend, name, recipe, tensor);
      // Math.max passes a NaN on, and no comparison with one holds: it fails below.
      worst = Math.max(worst, weightError, momentError);
      const moment = recipe.optimizer === "adamw" ? "" : `   v ${momentError.toExponential(2)}`;
      console.log(`${backend.id.padEnd(6)} ${name.padEnd(46)} ${weightError.toExponential(2)}${moment}`);
    }
  }
  const passed = worst <= TOLERANCE;
  console.log(`worst error ${worst.toExponential(2)}: ${passed ? "within" : "ABOVE"} ${TOLERANCE.toExponential(0)}, ${cases.length} cases`);
  return passed ? 0 : 1;
}

main(process.argv[2], process.argv[3]).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  },
);
