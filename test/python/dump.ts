/**
 * Lets the engine compute what the PyTorch oracle then checks: weights, gradients and a few NorMuon steps of a small model.
 *
 *     node dist/test/python/dump.js OUT.safetensors
 */
import { writeFileSync } from "node:fs";
import { loadAddon, type NamedTensor } from "../../extension/trainer/addon";
import { encodeSafetensors } from "../../extension/protocol/safetensors";

const STEPS = 3;
// Odd on purpose: no dimension is a multiple of a vector register.
const model = { vocabulary: 67, layers: 2, width: 42, heads: 3, context: 37, zeroProjections: false, recompute: false };
const batch = 3;

function tokens(seed: number): Int32Array {
  let state = seed;
  return Int32Array.from({ length: batch * (model.context + 1) }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff; // C89's example generator: any spread-out ids will do
    return (state >> 8) % model.vocabulary;
  });
}

const asTensor = (name: string, ids: Int32Array): NamedTensor => ({
  name,
  shape: [batch, model.context + 1],
  data: Float32Array.from(ids),
});

const prefixed = (prefix: string, tensors: NamedTensor[]): NamedTensor[] => tensors.map((t) => ({ ...t, name: `${prefix}/${t.name}` }));

async function main(out: string): Promise<void> {
  const engine = await loadAddon().createEngine({
    backend: "cpu",
    threads: 0,
    devices: [0],
    precision: "fp32",
    seed: 7,
    model,
    batch,
    preset: "normuon",
    optimizer: { lr: 0.02, weightDecay: 0.1 },
    auxiliary: { lr: 0.003 },
    ranks: 1,
  });
  const tensors = prefixed("initial", (await engine.save()).tensors);
  const { loss, tensors: gradients } = await engine.gradients(tokens(1));
  tensors.push(...prefixed("gradient", gradients), asTensor("tokens", tokens(1)));
  const losses = [];
  for (let step = 0; step < STEPS; step++) {
    tensors.push(asTensor(`tokens.${step}`, tokens(step + 2)));
    losses.push((await engine.step(tokens(step + 2), { lrScale: 1, clip: 0, measure: [], phases: false })).loss);
  }
  tensors.push(...prefixed("final", (await engine.save()).tensors));
  writeFileSync(out, encodeSafetensors(tensors, { heads: `${model.heads}`, loss: `${loss}`, losses: JSON.stringify(losses) }));
  engine.dispose();
}

void main(process.argv[2] ?? "oracle.safetensors");
