/** The model and the matrices that the device is measured with: GPT-2's smallest, and something for trying the check itself out. */
import type { EngineConfig } from "../../extension/trainer/addon";

export interface Size {
  name: string;
  model: { vocabulary: number; width: number; layers: number; heads: number };
  context: number;
  /** Sequences in a micro-batch. */
  batch: number;
  /** Steps of one turn of a comparison. */
  each: number;
}

/** 50,304: GPT-2's 50,257 rounded up to a multiple of 128 (karpathy/nanoGPT). */
const GPT2: Size = {
  name: "GPT-2 124M",
  model: { vocabulary: 50304, width: 768, layers: 12, heads: 12 },
  context: 1024,
  batch: 32,
  each: 10,
};
const SMALL: Size = {
  name: "a small model",
  model: { vocabulary: 256, width: 64, layers: 2, heads: 1 },
  context: 32,
  batch: 2,
  each: 2,
};

export const sizeOf = (small: boolean): Size => (small ? SMALL : GPT2);

/** Of one layer after the other. */
export const matrices = ({ model: { width, layers } }: Size): [number, number][] =>
  Array.from({ length: layers }, (): [number, number][] => [
    [3 * width, width],
    [width, width],
    [4 * width, width],
    [width, 4 * width],
  ]).flat();

export function engineConfig({ model, context }: Size, batch: number): EngineConfig {
  return {
    backend: "cuda",
    threads: 0,
    devices: [0],
    precision: "bf16",
    seed: 1,
    model: { ...model, context, zeroProjections: true, recompute: false },
    batch,
    preset: "normuon",
    optimizer: { lr: 1e-4 },
    auxiliary: { lr: 1e-4 },
    ranks: 1,
  };
}

/** Micro-batches of ids that look like nothing in particular. */
export function tokensOf({ model, context }: Size, sequences: number): Int32Array {
  let state = 1;
  return Int32Array.from({ length: sequences * (context + 1) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * model.vocabulary);
  });
}

export const OPTIONS = { lrScale: 1, clip: 0, measure: [], phases: false };
