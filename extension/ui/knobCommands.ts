/** Commands that set a live knob. */
import type { KnobValue } from "../protocol/description";
import type { Control } from "../protocol/panels";
import { LR_FACTOR } from "../protocol/runFolder";
import { inScope } from "../protocol/scope";
import { knobRule, mismatch } from "../runs/check";
import type { App } from "./app";
import { chooseRun } from "./chooseRun";
import { controlsOf, orderKey, valueText } from "./knobs";
import type { Answer } from "./orders";
import type { Run } from "./run";
import { ask, pick } from "./say";
import { refuseUntrusted } from "./startRun";
import { knobOrder } from "./steer";

/** On where it is off at any matrix of the scope, else off. */
export async function toggleKnob(app: App, argument: unknown, knob: string, scope: unknown): Promise<Answer | undefined> {
  const chosen = await liveRun(app, argument);
  if (!chosen) return undefined;
  const control = chosen.controls.find((each) => each.group === "matrix" && each.knob.id === knob);
  if (!control) throw new Error(`${chosen.run.name} has no ${knob} to switch: its optimizer is ${chosen.run.json?.spec.preset}.`);
  const glob = typeof scope === "string" ? scope : null;
  const values = Object.entries(control.values).filter(([name]) => glob === null || inScope(glob, name));
  return app.orders.give(
    chosen.run,
    knobOrder(
      knob,
      values.some(([, value]) => value !== true),
      glob,
    ),
  );
}

export async function setLearningRateFactor(app: App, argument: unknown, value: unknown): Promise<Answer | undefined> {
  const chosen = await liveRun(app, argument);
  const control = chosen?.controls.find(({ group }) => group === "run");
  if (!chosen || !control) return undefined;
  const factor = typeof value === "number" ? value : await askValue(control);
  return factor === undefined ? undefined : app.orders.give(chosen.run, knobOrder(LR_FACTOR.id, factor, null));
}

export async function setKnob(app: App, argument: unknown, knob: unknown, value: unknown, scope: unknown): Promise<Answer | undefined> {
  const chosen = await liveRun(app, argument);
  if (!chosen) return undefined;
  const key = (control: Control) => orderKey(control.knob.id, control.group);
  const control = typeof knob === "string" ? chosen.controls.find((each) => key(each) === knob) : await askKnob(chosen.controls);
  if (!control) {
    if (typeof knob === "string")
      throw new Error(`${chosen.run.name}: expected a live knob (${chosen.controls.map(key).join(", ")}), received ${knob}.`);
    return undefined;
  }
  const asked = typeof knob !== "string";
  const glob = typeof scope === "string" ? scope : asked && control.group === "matrix" ? await askScope(control) : null;
  if (glob === undefined) return undefined;
  const set = isValue(value) ? value : await askValue(control);
  return set === undefined ? undefined : app.orders.give(chosen.run, knobOrder(key(control), set, glob));
}

async function liveRun(app: App, argument: unknown): Promise<{ run: Run; controls: Control[] } | undefined> {
  if (!refuseUntrusted()) return undefined;
  const run = await chooseRun(app, argument, "Which run?", (each) => each.live && each.json !== undefined);
  if (!run?.json) return undefined;
  return { run, controls: controlsOf(run.json, run.events, app.orders.pendingKnobs(run)) };
}

async function askKnob(controls: Control[]): Promise<Control | undefined> {
  const items = controls.map((control) => ({
    control,
    label: control.group === "auxiliary" ? `${control.knob.id} (embedding, head)` : control.knob.id,
    description: currentText(control),
    detail: control.knob.meaning,
  }));
  return (await pick(items, { title: "Set Knob", placeHolder: "Which knob?", matchOnDetail: true }))?.control;
}

/** Null: everywhere. */
async function askScope(control: Control): Promise<string | null | undefined> {
  const names = Object.keys(control.values);
  const blocks = [...new Set(names.flatMap((name) => /^(.*?\.\d+)\./.exec(name)?.[1] ?? []))];
  const items = [
    { label: "all matrices", scope: null },
    ...[...blocks.map((block) => `${block}.*`), ...names].map((scope) => ({ label: scope, scope })),
  ];
  return (await pick(items, { title: `Set ${control.knob.id}`, placeHolder: "Where?" }))?.scope;
}

async function askValue(control: Control): Promise<KnobValue | undefined> {
  const { knob } = control;
  const title = `Set ${knob.id}`;
  if (knob.type === "boolean" || knob.type === "enum") {
    const values: KnobValue[] = knob.type === "boolean" ? [true, false] : (knob.choices ?? []);
    const picked = await pick(
      values.map((value) => ({ label: valueText(value), value })),
      { title, placeHolder: `now ${currentText(control)}` },
    );
    return picked?.value;
  }
  const text = await ask({
    title,
    prompt: `${knob.meaning} Now ${currentText(control)}.`,
    value: currentText(control),
    wrong: (input) => {
      const wrong = input.trim() === "" ? "expected a number" : mismatch(knobRule(knob), Number(input));
      return wrong && wrong[0]!.toUpperCase() + wrong.slice(1);
    },
  });
  return text === undefined ? undefined : Number(text);
}

const isValue = (value: unknown): value is KnobValue =>
  typeof value === "boolean" || typeof value === "number" || typeof value === "string";

function currentText({ values }: Control): string {
  const different = [...new Set(Object.values(values))];
  return different.length === 1 ? valueText(different[0]) : "mixed";
}
