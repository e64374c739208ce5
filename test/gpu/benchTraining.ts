/** Whole training steps beside the same model in PyTorch, compiled; and how many tokens a second at several batch sizes. */
import { setTimeout as wait } from "node:timers/promises";
import type { Engine } from "../../extension/trainer/addon";
import { type Contender, median } from "../bench/measure";
import { type Bench, TURNS } from "./benching";
import { count } from "./report";
import { engineConfig, OPTIONS, tokensOf } from "./sizes";
import { alternate } from "./table";

/** Optimizers of PyTorch's side; the goal is that of the release, beside the faster of them. */
const RIVALS = [
  { optimizer: "stacked", name: "NorMuon on stacked matrices" },
  { optimizer: "muon", name: "torch.optim.Muon" },
];
const GOAL = "≥ 0.95 (aim 1.15)";

/** Tokens of a step, and the sequences in one of its micro-batches. */
const BATCHES = [
  { sequences: 4, micro: 4, steps: 40 },
  { sequences: 64, micro: 32, steps: 10 },
  { sequences: 512, micro: 32, steps: 2 },
];

/**
 * The device goes on with the optimizer's work while the next step begins: timed from the end of one step to the end of the last, so
 * that as much is begun before as is left after.
 */
function contenderOf(engine: Engine, tokens: Int32Array): Contender {
  return {
    run: async (steps) => {
      await engine.step(tokens, OPTIONS);
      const start = performance.now();
      for (let step = 0; step < steps; step++) await engine.step(tokens, OPTIONS);
      const seconds = (performance.now() - start) / 1e3 / steps;
      await wait(50); // what is left of the optimizer's work is not to meet the other contender's
      return [seconds];
    },
  };
}

export async function trainingRows(bench: Bench): Promise<void> {
  const { addon, table, size } = bench;
  const { name, context, batch, each } = size;
  const tokens = batch * context;
  const engine = await addon.createEngine(engineConfig(size, batch));
  try {
    const ours = contenderOf(engine, tokensOf(size, batch));
    await ours.run(3); // buffers and the prepared step
    await besidePyTorch(bench, ours, tokens, each);
    const alone = median((await alternate([ours], TURNS, each)).map((seconds) => tokens / seconds));
    table.figure(`${name}, bf16, NorMuon, ${count(tokens)} tokens a step`, `${count(Math.round(alone))} tokens/s`);
  } finally {
    engine.dispose();
  }
  for (const each of BATCHES) await tokensPerSecond(bench, each);
}

async function besidePyTorch({ torch, table, size, left }: Bench, ours: Contender, tokens: number, each: number): Promise<void> {
  const measure = `training, ${size.name}, bf16, ${count(tokens)} tokens a step, tokens/s ÷ PyTorch compiled`;
  if ("reason" in torch) return table.skip(measure, torch.reason);
  const model = { ...size.model, batch: size.batch, time: size.context };
  const rivals: { name: string; contender: Contender }[] = [];
  for (const { optimizer, name } of RIVALS)
    try {
      const contender = await torch.contender({ model, optimizer });
      await contender.run(3);
      rivals.push({ name, contender });
    } catch (error) {
      table.skip(`${measure} with ${name}`, (error as Error).message);
    }
  if (rivals.length === 0) return;
  if (left() < 15) return table.skip(measure, "not measured: no time was left once PyTorch had compiled it");
  const [own, ...theirs] = await alternate([ours, ...rivals.map(({ contender }) => contender)], TURNS, each);
  for (const [index, { name }] of rivals.entries())
    table.ratio(`${measure} with ${name}`, tokens / own!, tokens / theirs[index]!, GOAL, "tokens/s");
}

async function tokensPerSecond(
  { addon, table, size, small, left }: Bench,
  { sequences, micro, steps }: (typeof BATCHES)[number],
): Promise<void> {
  const tokens = sequences * size.context;
  const measure = `${size.name}, bf16, NorMuon, ${count(tokens)} tokens a step in micro-batches of ${count(micro * size.context)}`;
  if (left() < 15 && !small) return table.skip(measure, "not measured: no time was left");
  const engine = await addon.createEngine(engineConfig(size, micro));
  try {
    const contender = contenderOf(engine, tokensOf(size, sequences));
    await contender.run(2);
    const [seconds] = await alternate([contender], TURNS, small ? 1 : steps);
    table.figure(measure, `${count(Math.round(tokens / seconds!))} tokens/s`);
  } finally {
    engine.dispose();
  }
}
