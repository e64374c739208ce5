/** The live knobs of a run and their values in force, as its own record tells them. Pure. */
import type { Knob, KnobValue } from "../protocol/description";
import type { Control } from "../protocol/panels";
import { LR_FACTOR, type RunEvent, type RunJson } from "../protocol/runFolder";
import { inScope } from "../protocol/scope";

export type KnobGroup = Control["group"];

/** Orders name the AdamW's knobs like this. */
const AUXILIARY = "auxiliary.";

/** A knob as orders name it. */
export const orderKey = (knob: string, group: KnobGroup): string => (group === "auxiliary" ? `${AUXILIARY}${knob}` : knob);

/** Of events that only grow: a page asks for it at each of its updates, and seldom is there another event. */
const told = new WeakMap<readonly RunEvent[], { of: number; history: readonly RunEvent[] }>();

/** The events that led to the present: a restart from a checkpoint forgets what was ordered after it was written. */
export function history(events: readonly RunEvent[]): readonly RunEvent[] {
  const before = told.get(events);
  if (before?.of === events.length) return before.history;
  const forgotten = new Uint8Array(events.length);
  /** Orders that are in force so far, and where each checkpoint was last written. */
  const inForce: number[] = [];
  const saved = new Map<string, number>();
  for (const [i, event] of events.entries()) {
    if (event.type === "applied") inForce.push(i);
    else if (event.type === "checkpoint") saved.set(event.file, i);
    else if (event.type === "started") {
      const from = event.resumedFrom === null ? -1 : (saved.get(event.resumedFrom) ?? -1);
      while (inForce.length > 0 && inForce.at(-1)! > from) forgotten[inForce.pop()!] = 1;
    }
  }
  const history = events.filter((_, i) => !forgotten[i]);
  told.set(events, { of: events.length, history });
  return history;
}

/** `pending`: what was ordered and is not yet answered, by order key. */
export function controlsOf(
  run: RunJson,
  events: readonly RunEvent[],
  pending: ReadonlyMap<string, { value: KnobValue; scope: string | null }>,
): Control[] {
  const names = (group: "matrix" | "auxiliary") => run.parameters.filter((parameter) => parameter.group === group).map(({ name }) => name);
  const control = (knob: Knob, group: KnobGroup, values: Record<string, KnobValue>): Control => ({
    knob,
    group,
    values,
    pending: pending.get(orderKey(knob.id, group)) ?? null,
  });
  const spread = (tensors: string[], value: KnobValue) => Object.fromEntries(tensors.map((name) => [name, value]));
  const matrix = run.knobs.filter((knob) => knob.live && knob.id in run.spec.optimizer);
  const controls = [
    ...matrix.map((knob) => control(knob, "matrix", spread(names("matrix"), run.spec.optimizer[knob.id]!))),
    control(LR_FACTOR, "run", { "": LR_FACTOR.default }),
    ...run.auxiliaryKnobs
      .filter((knob) => knob.live)
      .map((knob) => control(knob, "auxiliary", spread(names("auxiliary"), run.spec.auxiliary[knob.id] ?? knob.default))),
  ];
  const byKey = new Map(controls.map((each) => [orderKey(each.knob.id, each.group), each]));
  for (const event of history(events)) {
    if (event.type !== "applied" || !event.set) continue;
    for (const [key, value] of Object.entries(event.set)) {
      const target = byKey.get(key);
      if (!target) continue;
      for (const name of Object.keys(target.values)) {
        if (name === "" || inScope(event.scope ?? "*", name)) target.values[name] = value as KnobValue;
      }
    }
  }
  return controls;
}

/** on, off, 0.5, kj5. */
export const valueText = (value: unknown): string =>
  value === true ? "on" : value === false ? "off" : typeof value === "object" ? "several values" : String(value);
