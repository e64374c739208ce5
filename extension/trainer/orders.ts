/** What an order is to change, or why it is refused. Whatever is unknown or out of range is refused as a whole, never guessed at. */
import type { EngineDescription, Knob, KnobValue, KnobValues } from "../protocol/description";
import { LR_FACTOR, type Order } from "../protocol/runFolder";
import { inScope, MOST_SCOPE } from "../protocol/scope";
import { knobRule, mismatch } from "../runs/check";
import { unknown } from "../runs/nearest";
import type { ParameterInfo } from "./addon";

type Group = ParameterInfo["group"];
export type Deed = Extract<Order, { do: string }>["do"];

const DEEDS: readonly Deed[] = ["pause", "resume", "step", "checkpoint", "measure", "stop"];
const AUXILIARY = "auxiliary.";

/** What an order may touch. */
export interface Steered {
  description: EngineDescription;
  parameters: readonly ParameterInfo[];
  /** Knobs in force for a parameter. */
  values(parameter: string): KnobValues;
}

export type Plan =
  | { id: string; do: Deed }
  | { id: string; set: Record<string, KnobValue>; scope: string; groups: Record<Group, KnobValues>; lrFactor: number | undefined };

export type Reading = Plan | { id: string | null; refused: string };

/** One line of `control.jsonl`. */
export function readOrder(line: string, steered: Steered): Reading {
  let order: unknown;
  try {
    order = JSON.parse(line);
  } catch (error) {
    return { id: null, refused: `expected a JSON object, received ${JSON.stringify(line.slice(0, 80))}: ${(error as Error).message}` };
  }
  if (!isObject(order)) return { id: null, refused: `expected a JSON object, received ${line.slice(0, 80)}` };
  const { id, do: deed, set, scope, ...others } = order;
  if (typeof id !== "string" || id === "") return { id: null, refused: `id: expected a text, received ${JSON.stringify(id)}` };
  const other = Object.keys(others)[0];
  if (other !== undefined) return { id, refused: unknown("part of an order", other, ["id", "do", "set", "scope"]) };
  if ((deed === undefined) === (set === undefined)) return { id, refused: 'expected either "do" or "set"' };
  if (deed !== undefined) {
    if (!DEEDS.includes(deed as Deed)) return { id, refused: unknown("order", String(deed), DEEDS) };
    return { id, do: deed as Deed };
  }
  if (!isObject(set) || Object.keys(set).length === 0)
    return { id, refused: `set: expected an object of knobs, received ${JSON.stringify(set)}` };
  if (scope !== undefined && typeof scope !== "string")
    return { id, refused: `scope: expected a glob over parameter names, received ${JSON.stringify(scope)}` };
  if (scope !== undefined && scope.length > MOST_SCOPE)
    return { id, refused: `scope: expected at most ${MOST_SCOPE} characters, received ${scope.length}` };
  return planSet(id, set, scope ?? "*", steered);
}

function planSet(id: string, set: Record<string, unknown>, scope: string, steered: Steered): Reading {
  const groups: Record<Group, KnobValues> = { matrix: {}, auxiliary: {} };
  let lrFactor: number | undefined;
  for (const [key, value] of Object.entries(set)) {
    if (key === LR_FACTOR.id) {
      const wrong = scope === "*" ? mismatch(knobRule(LR_FACTOR), value) : "is for the whole run; leave the scope out";
      if (wrong) return { id, refused: `${key}: ${wrong}` };
      lrFactor = value as number;
      continue;
    }
    const group: Group = key.startsWith(AUXILIARY) ? "auxiliary" : "matrix";
    const wrong = wrongKnob(key, group, value, scope, steered);
    if (wrong) return { id, refused: wrong };
    groups[group][key.slice(group === "auxiliary" ? AUXILIARY.length : 0)] = value as KnobValue;
  }
  return { id, set: set as Record<string, KnobValue>, scope, groups, lrFactor };
}

function wrongKnob(
  key: string,
  group: Group,
  value: unknown,
  scope: string,
  { description, parameters, values }: Steered,
): string | undefined {
  const prefix = group === "auxiliary" ? AUXILIARY : "";
  const knobs: Knob[] = group === "auxiliary" ? description.auxiliaryKnobs : description.knobs;
  const knob = knobs.find((each) => `${prefix}${each.id}` === key);
  if (!knob) {
    const live = (from: Knob[], before: string): string[] => from.filter((each) => each.live).map((each) => `${before}${each.id}`);
    return unknown("knob", key, [...live(description.knobs, ""), ...live(description.auxiliaryKnobs, AUXILIARY), LR_FACTOR.id]);
  }
  if (!knob.live) return `${key}: cannot change during a run; set it in a new run's file`;
  const wrong = mismatch(knobRule(knob), value);
  if (wrong) return `${key}: ${wrong}`;
  const reached = parametersIn(parameters, group, scope);
  if (reached.length === 0) {
    const names = parameters.filter((each) => each.group === group).map((each) => each.name);
    return `scope: ${JSON.stringify(scope)} matches no parameter of ${key}; there are ${names.slice(0, 4).join(", ")}${names.length > 4 ? ", …" : ""}`;
  }
  const without = reached.find(({ name }) => !(knob.id in values(name)));
  return without ? `${key}: does not apply to the optimizer of ${without.name}` : undefined;
}

export function parametersIn(parameters: readonly ParameterInfo[], group: Group, scope: string): ParameterInfo[] {
  return parameters.filter((each) => each.group === group && inScope(scope, each.name));
}

/** The values in force before an order: a number or word where all in scope agree, else one for each parameter. */
export function valuesBefore(plan: Extract<Plan, { scope: string }>, steered: Steered, lrFactor: number): Record<string, unknown> {
  const before: Record<string, unknown> = {};
  for (const group of ["matrix", "auxiliary"] as const) {
    const reached = parametersIn(steered.parameters, group, plan.scope);
    for (const knob of Object.keys(plan.groups[group])) {
      const each = reached.map(({ name }) => [name, steered.values(name)[knob]] as const);
      const same = each.every(([, value]) => value === each[0]![1]);
      before[group === "auxiliary" ? `${AUXILIARY}${knob}` : knob] = same ? each[0]![1] : Object.fromEntries(each);
    }
  }
  if (plan.lrFactor !== undefined) before[LR_FACTOR.id] = lrFactor;
  return before;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
