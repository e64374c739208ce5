/** Sequences for the engine: batch × (context + 1) token ids, inputs [0, T), targets [1, T]. */
import type { RunSpec } from "../protocol/runFile";
import type { Tokens } from "./data";
import { permuted, uniform } from "./random";

/**
 * Epochs: neighbouring contexts in random order, so that every token is seen once before any is seen again; in each epoch
 * they begin elsewhere. Which context comes when depends on the seed and the position alone.
 */
export class TrainingBatches {
  constructor(
    private readonly tokens: Tokens,
    private readonly spec: RunSpec,
    /** Sequences drawn so far: kept in checkpoints. */
    public position: number,
  ) {}

  /** All micro-batches of a step: [accumulation, batch, context + 1]. */
  next(): Int32Array {
    const { batch, model, seed } = this.spec;
    const row = model.context + 1;
    const ids = new Int32Array(batch.accumulation * batch.size * row);
    for (let i = 0; i < batch.accumulation * batch.size; i++) {
      this.tokens.read(this.offset(this.position++, seed, model.context), row, ids, i * row);
    }
    return ids;
  }

  private offset(position: number, seed: number, context: number): number {
    // The last token is only predicted. One context less than fit leaves room to shift them all.
    const inputs = this.tokens.length - 1;
    const contexts = Math.max(1, Math.floor(inputs / context) - 1);
    const epoch = Math.floor(position / contexts);
    const shift = Math.floor(uniform(seed, epoch) * (inputs - contexts * context + 1));
    return shift + permuted(seed, epoch, position % contexts, contexts) * context;
  }
}

/**
 * The same batches every time: contexts spread evenly over the held-out tokens, all of them when there are no more than
 * asked for. Fewer contexts than a batch has are repeated evenly. Yields [batch, context + 1].
 */
export function* validationBatches(tokens: Tokens, spec: RunSpec): Generator<Int32Array> {
  const { batch, model, validation } = spec;
  const row = model.context + 1;
  const contexts = Math.floor((tokens.length - 1) / model.context);
  const batches = Math.max(1, Math.min(validation.batches, Math.floor(contexts / batch.size)));
  for (let b = 0; b < batches; b++) {
    const ids = new Int32Array(batch.size * row);
    for (let i = 0; i < batch.size; i++) {
      const context = Math.floor(((b * batch.size + i) * contexts) / (batches * batch.size));
      tokens.read(context * model.context, row, ids, i * row);
    }
    yield ids;
  }
}
