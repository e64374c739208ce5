/** Arithmetic of comparing runs: configurations, distance to a target, alignment in time. Pure. */
import type { RunEvent } from "../protocol/runFolder";
import type { RunSpec } from "../protocol/runFile";
import type { Series } from "../protocol/series";
import { lowerBound } from "./downsample";
import { turnsOf } from "./turns";

/** `{"model.width": 128, …}`; a list is one value. */
export function flatten(value: object, prefix = ""): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [key, inner] of Object.entries(value)) {
    const path = prefix ? `${prefix}.${key}` : key;
    if (typeof inner === "object" && inner !== null && !Array.isArray(inner)) {
      for (const [name, leaf] of flatten(inner as object, path)) flat.set(name, leaf);
    } else {
      flat.set(path, inner);
    }
  }
  return flat;
}

export interface Difference {
  key: string;
  /** One for each run, as text; undefined where a run does not have the key. */
  values: (string | undefined)[];
}

/** The keys in which the runs differ, in the order of the first run that has them. A run without a spec has no key. */
export function differences(specs: (RunSpec | undefined)[]): Difference[] {
  const flat = specs.map((spec) => (spec ? flatten(spec) : new Map<string, unknown>()));
  const keys = new Set(flat.flatMap((each) => [...each.keys()]));
  const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
  return [...keys]
    .map((key) => ({ key, values: flat.map((each) => (each.has(key) ? text(each.get(key)) : undefined)) }))
    .filter(({ values }) => values.some((value) => value !== values[0]));
}

export const tokensPerStep = (spec: RunSpec): number => spec.batch.size * spec.batch.accumulation * spec.model.context;

export type ToTarget = { reached: true; step: number; seconds: number; tokens: number | null } | { reached: false; best: number | null };

/**
 * The first point of a loss at or below `target`. `seconds`: training time, as `trainingSeconds` counts it for the same series.
 * `tokens` is null for a run that does not say how many a step takes.
 */
export function toTarget(loss: Series, seconds: Float64Array, target: number, perStep: number | null): ToTarget {
  let best: number | null = null;
  for (let i = 0; i < loss.values.length; i++) {
    const value = loss.values[i]!;
    if (value <= target) {
      const step = loss.steps[i]!;
      return { reached: true, step, seconds: seconds[i]!, tokens: perStep === null ? null : perStep * step };
    }
    if (best === null || value < best) best = value;
  }
  return { reached: false, best };
}

/**
 * Seconds of training up to each time of `times` (ascending, seconds since the epoch): time since the run's first start without
 * the time it was paused, stopped or gone.
 */
export function trainingSeconds(times: Float64Array, events: readonly RunEvent[]): Float64Array {
  const idle: { from: number; to: number }[] = [];
  let since: number | null = null;
  let first: number | null = null;
  for (const { what, seconds: now } of turnsOf(events)) {
    if (what === "started") {
      if (first === null) first = now;
      else {
        // A process that was killed wrote nothing: its last point is when it was last seen.
        const before = lowerBound(times, now) - 1;
        const lastSeen = before >= 0 ? times[before]! : first;
        idle.push({ from: since ?? lastSeen, to: now });
      }
      since = null;
    } else if (what === "ceased") {
      since ??= now;
    } else if (since !== null) {
      idle.push({ from: since, to: now });
      since = null;
    }
  }
  const start = first ?? times[0] ?? 0;
  let next = 0;
  let lost = 0;
  return times.map((time) => {
    while (next < idle.length && idle[next]!.to <= time) {
      lost += Math.max(0, idle[next]!.to - idle[next]!.from);
      next++;
    }
    const within = next < idle.length ? Math.max(0, time - idle[next]!.from) : 0;
    return Math.max(0, time - start - lost - within);
  });
}

/** Index of the last step at or before `step`; undefined when all come later. */
export function atOrBefore(steps: Float64Array, step: number): number | undefined {
  const next = lowerBound(steps, step);
  const index = steps[next] === step ? next : next - 1;
  return index >= 0 ? index : undefined;
}
