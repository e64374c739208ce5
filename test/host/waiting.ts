/** What the host tests wait for: a condition, a run's event. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { EVENTS_JSONL, RUN_JSON, type RunEvent } from "../../extension/protocol/runFolder";

/** Milliseconds in which an extension host comes as far as these tests, on a machine that is not busy otherwise. */
const START_MS = 2500;
/** How many times as long as on such a machine things take here; 1 on a faster one. A start of an extension host has just been seen. */
export const SLOWNESS = Math.max(1, (process.uptime() * 1000) / START_MS);
/** Milliseconds to wait for something, here. */
export const PATIENCE_MS = 20_000 * SLOWNESS;

/**
 * Resolves to the first value that is not undefined, null or false; rejects, naming `what`, when there is none in time. `sign`: of life;
 * whenever it changes the waiting begins anew.
 */
export async function waitFor<T>(
  what: string,
  look: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  sign: () => unknown = () => undefined,
): Promise<T> {
  let last = sign();
  let deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found;
    const now = sign();
    if (now !== last) deadline = Date.now() + PATIENCE_MS;
    last = now;
    if (Date.now() > deadline) throw new Error(`Waited ${(PATIENCE_MS / 1000).toFixed(0)} s for ${what}.`);
    await setTimeout(20);
  }
}

/**
 * Resolves when the extension host has had nothing long to do for two seconds, at the latest after ten: VS Code's own start, in which
 * it activates the extensions that come with it, is over then.
 */
export async function atRest(): Promise<void> {
  const SAMPLE_MS = 20;
  const LATE_MS = 10;
  const deadline = performance.now() + 10_000;
  for (let quiet = 0; quiet < 2000 && performance.now() < deadline;) {
    const before = performance.now();
    await setTimeout(SAMPLE_MS);
    const took = performance.now() - before;
    quiet = took < SAMPLE_MS + LATE_MS ? quiet + took : 0;
  }
}

/** Complete lines only: the last one may be half written. */
export function eventsOf(folder: string): RunEvent[] {
  let text;
  try {
    text = readFileSync(join(folder, EVENTS_JSONL), "utf8");
  } catch {
    return []; // not begun
  }
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as RunEvent);
}

type EventOf<Type extends RunEvent["type"]> = Extract<RunEvent, { type: Type }>;

/** The first event of this type after the first `after` ones. */
export function nextEvent<Type extends RunEvent["type"]>(folder: string, type: Type, after: number): Promise<EventOf<Type>> {
  return waitFor(`"${type}" in ${EVENTS_JSONL}; there: ${JSON.stringify(eventsOf(folder))}`, () =>
    eventsOf(folder)
      .slice(after)
      .find((event): event is EventOf<Type> => event.type === type),
  );
}

/** Folders below `folder` that hold a run. */
export function runsBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(RUN_JSON))
    .map((file) => join(folder, file, ".."))
    .sort();
}

/** What tests of a run miss where none was left in this folder; undefined where one was. */
export const noRunIn = (folder: string): string | undefined =>
  runsBelow(folder).length > 0 ? undefined : "needs the run that the first phase leaves, and there is none";
