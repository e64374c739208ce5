/** Runs of tests: the trainer's own session and loop in this process, on any engine. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { EVENTS_JSONL, type RunEvent } from "../../extension/protocol/runFolder";
import { RunReader } from "../../extension/runs/runFolder";
import { makeRunFolder } from "../../extension/runs/newFolder";
import { resolveSpec } from "../../extension/runs/spec";
import type { Addon } from "../../extension/trainer/addon";
import { Loop } from "../../extension/trainer/loop";
import { ProgressLine } from "../../extension/trainer/progress";
import { openNew, openResumed, type Session } from "../../extension/trainer/session";
import { fakeAddon, type Hooks } from "./fakeAddon";
import { temporaryFolder } from "./folders";

export const text = Array.from({ length: 300 }, (_, i) => `${i} the quick brown fox jumps over the lazy dog\n`).join("");

export const small = {
  data: { files: ["text.txt"] },
  model: { layers: 1, width: 16, heads: 2, context: 8 },
  batch: { size: 4 },
  steps: 40,
  schedule: { warmup: 5 },
  validation: { every: 10, batches: 2 },
  checkpoints: { every: 10, keep: 100 },
};

/** Steps of some milliseconds, more than any test waits for. */
export const endless = {
  ...small,
  steps: 1e6,
  schedule: { warmup: 0, shape: "constant" },
  validation: { every: 1e6 },
  checkpoints: { every: 20, keep: 2 },
};

export interface Running {
  session: Session;
  folder: string;
  /** Lines for the terminal. */
  said: string[];
  /** Settles when the loop has ended and the session is closed. */
  done: Promise<void>;
}

const quiet = (said: string[]): ProgressLine => new ProgressLine({ write: (line) => said.push(line) });

function go(session: Session, said: string[]): Running {
  const done = new Loop(session, quiet(said)).run().finally(() => session.close());
  return { session, folder: session.folder, said, done };
}

/** In a folder of its own unless one is given. */
export async function begin(
  t: TestContext,
  json: object = {},
  hooks: Hooks = {},
  addon: Addon = fakeAddon(hooks),
  folder = temporaryFolder(t),
): Promise<Running> {
  writeFileSync(join(folder, "text.txt"), text);
  const file = join(folder, "run.muonscope.json");
  const resolved = resolveSpec({ ...small, ...json }, addon.describe(), { file });
  assert.ok("spec" in resolved, JSON.stringify(resolved));
  const said: string[] = [];
  const session = await openNew(
    addon,
    resolved.spec,
    file,
    () => makeRunFolder(join(folder, "runs"), file),
    (line) => said.push(line),
  );
  return go(session, said);
}

export async function resume(folder: string, hooks: Hooks = {}, addon: Addon = fakeAddon(hooks)): Promise<Running> {
  const said: string[] = [];
  return go(await openResumed(addon, folder, (line) => said.push(line)), said);
}

export const eventsOf = (folder: string): RunEvent[] =>
  readFileSync(join(folder, EVENTS_JSONL), "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as RunEvent);

/** The first event of this type that fits; rejects when the run ends without one. */
export async function eventOf<T extends RunEvent["type"]>(
  running: Running,
  type: T,
  fits: (event: Extract<RunEvent, { type: T }>) => boolean = () => true,
): Promise<Extract<RunEvent, { type: T }>> {
  let ended = false;
  void running.done.then(
    () => (ended = true),
    () => (ended = true),
  );
  for (;;) {
    const last = ended;
    const found = eventsOf(running.folder).find(
      (event): event is Extract<RunEvent, { type: T }> => event.type === type && fits(event as Extract<RunEvent, { type: T }>),
    );
    if (found) return found;
    if (last) throw new Error(`the run ended without an event of type ${type}: ${JSON.stringify(eventsOf(running.folder))}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export async function read(folder: string): Promise<RunReader> {
  const reader = new RunReader(folder);
  await reader.poll();
  return reader;
}

export async function valuesOf(folder: string, tag: string): Promise<[number, number][]> {
  const series = (await read(folder)).series(tag);
  return series ? Array.from(series.steps, (step, i) => [step, series.values[i]!]) : [];
}
