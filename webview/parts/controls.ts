/** Buttons and live knobs of a run: what is in force, what is on its way, and orders to change it. */
import type { Knob, KnobValue } from "../../extension/protocol/description";
import type { CommandMessage, Control, FromDashboard, ControlsMessage } from "../../extension/protocol/panels";
import { inScope } from "../../extension/protocol/scope";
import { h, icon, Picker, type Icon } from "./dom";
import { placeOf } from "./matrices";
import type { Checkbox, Dropdown, TextField } from "./toolkit";

/** Knobs that stand in the bar; the others are behind "More Knobs". */
const FOREMOST = ["normalize", "orthogonalize", "lrFactor"];
const TITLES: Record<string, string> = { normalize: "Normalization", orthogonalize: "Orthogonalization", lrFactor: "LR ×" };

interface Button {
  command: CommandMessage["command"];
  /** The order it gives, as `pending` names it. */
  order: string;
  icon: Icon;
  label: string;
  title: string;
  when: (state: ControlsMessage) => boolean;
}

const paused = ({ status }: ControlsMessage) => status === "paused";
const live = ({ status }: ControlsMessage) => status === "running" || status === "paused" || status === "starting";

const BUTTONS: Button[] = [
  {
    command: "muonscope.pauseRun",
    order: "pause",
    icon: "pause",
    label: "Pause",
    title: "Pause before the next step",
    when: (state) => live(state) && !paused(state),
  },
  { command: "muonscope.resumeRun", order: "resume", icon: "play", label: "Resume", title: "Go on with the paused run", when: paused },
  { command: "muonscope.singleStep", order: "step", icon: "step", label: "Step", title: "One step, then pause", when: live },
  {
    command: "muonscope.checkpointNow",
    order: "checkpoint",
    icon: "save",
    label: "Checkpoint",
    title: "Write a checkpoint at the next step boundary",
    when: live,
  },
  {
    command: "muonscope.measureNow",
    order: "measure",
    icon: "measure",
    label: "Measure",
    title: "Measure every matrix at the next step",
    when: live,
  },
  { command: "muonscope.stopRun", order: "stop", icon: "stop", label: "Stop", title: "Write a checkpoint and end the trainer", when: live },
];

/** Every matrix, or those that a glob names. */
const EVERYTHING = "";

export class Controls {
  readonly element: HTMLElement;
  private readonly buttons = BUTTONS.map((button) => this.button(button));
  private readonly knobs = h("div", { class: "knobs" });
  private readonly more = h("div", { class: "knobs more", hidden: true });
  private readonly moreButton: HTMLButtonElement;
  private readonly scopePicker: Picker;
  private readonly scopeField: HTMLElement;
  private readonly sentence = h("span", { class: "cannot" });
  private readonly fields = new Map<string, KnobField>();
  private scope = EVERYTHING;
  private state: ControlsMessage | undefined;

  constructor(private readonly send: (message: FromDashboard) => void) {
    this.scopePicker = new Picker("Matrices that a change applies to", (scope) => {
      this.scope = scope;
      if (this.state) this.show(this.state, this.tensors);
    });
    this.moreButton = h("button", { class: "text-button", "aria-expanded": "false", onclick: () => this.toggleMore() }, "More Knobs");
    this.scopeField = h("label", { class: "field" }, "on", this.scopePicker.element);
    this.element = h(
      "div",
      { class: "controls", role: "toolbar", "aria-label": "Run controls" },
      h("div", { class: "buttons" }, ...this.buttons.map(({ element }) => element)),
      this.knobs,
      this.scopeField,
      this.moreButton,
      this.sentence,
      this.more,
    );
  }

  private tensors: readonly string[] = [];

  show(state: ControlsMessage, tensors: readonly string[]): void {
    this.state = state;
    this.tensors = tensors;
    for (const { button, element } of this.buttons) {
      const pending = state.pending.includes(button.order);
      element.hidden = !button.when(state);
      element.disabled = !state.can.control || pending;
      element.classList.toggle("pending", pending);
    }
    const matrices = [...new Set(state.controls.filter(({ group }) => group === "matrix").flatMap(({ values }) => Object.keys(values)))];
    this.scopePicker.show(scopes(matrices.length > 0 ? matrices : tensors), this.scope);
    const rank = ({ knob }: Control) => (FOREMOST.includes(knob.id) ? FOREMOST.indexOf(knob.id) : FOREMOST.length);
    for (const control of [...state.controls].sort((a, b) => rank(a) - rank(b)))
      this.field(control).show(control, this.scope, state.can.control);
    const none = state.controls.length === 0;
    this.knobs.hidden = this.moreButton.hidden = none;
    this.more.hidden = none || this.moreButton.getAttribute("aria-expanded") === "false";
    this.scopeField.hidden = state.controls.every(({ group }) => group !== "matrix");
    this.sentence.textContent = state.cannot ?? "";
  }

  private field(control: Control): KnobField {
    const key = `${control.group}/${control.knob.id}`;
    let field = this.fields.get(key);
    if (!field) {
      field = new KnobField(control, (value) =>
        this.send({
          type: "setKnob",
          knob: control.knob.id,
          group: control.group,
          value,
          scope: control.group === "matrix" && this.scope !== EVERYTHING ? this.scope : null,
        }),
      );
      this.fields.set(key, field);
      (control.group !== "auxiliary" && FOREMOST.includes(control.knob.id) ? this.knobs : this.more).append(field.element);
    }
    return field;
  }

  private button(button: Button): { button: Button; element: HTMLElement & { disabled: boolean } } {
    const element = h(
      "vscode-button",
      {
        appearance: "secondary",
        title: button.title,
        "data-command": button.command,
        onclick: () => this.send({ type: "command", command: button.command }),
      },
      icon(button.icon),
      button.label,
    ) as HTMLElement & { disabled: boolean };
    return { button, element };
  }

  private toggleMore(): void {
    this.more.hidden = !this.more.hidden;
    this.moreButton.setAttribute("aria-expanded", String(!this.more.hidden));
    this.moreButton.textContent = this.more.hidden ? "More Knobs" : "Fewer Knobs";
  }
}

/** One knob as the element that fits its type. */
class KnobField {
  readonly element: HTMLElement;
  private readonly input: Checkbox | Dropdown | TextField;
  private readonly note = h("span", { class: "note" });
  private readonly label: string;
  private editing = false;
  /** In force in the scope; undefined: different values. */
  private value: KnobValue | undefined;

  constructor(
    control: Control,
    private readonly change: (value: KnobValue) => void,
  ) {
    const { knob } = control;
    this.label = TITLES[knob.id] ?? (control.group === "auxiliary" ? `${knob.id} (embedding, head)` : knob.id);
    this.input = this.make(knob);
    this.element =
      knob.type === "boolean"
        ? h("div", { class: "field" }, this.input, this.note)
        : h("label", { class: "field" }, this.label, this.input, this.note);
    this.element.title = knob.meaning;
    this.element.dataset["knob"] = knob.id;
  }

  show(control: Control, scope: string, enabled: boolean): void {
    const names = Object.keys(control.values).filter((name) => name === "" || scope === EVERYTHING || inScope(scope, name));
    const values = [...new Set(names.map((name) => control.values[name]))];
    const value = values.length === 1 ? values[0] : undefined;
    this.value = value;
    const { pending } = control;
    const shown = pending ? pending.value : value;
    this.input.disabled = !enabled || pending !== null;
    this.element.classList.toggle("pending", pending !== null);
    this.note.textContent = pending ? "at the next step" : value === undefined ? "mixed" : "";
    if (control.knob.type === "boolean") {
      const box = this.input as Checkbox;
      box.indeterminate = shown === undefined;
      box.checked = shown === true;
    } else if (!this.editing) {
      const text = shown === undefined ? "" : String(shown);
      if (this.input.value !== text) this.input.value = text;
    }
  }

  private make(knob: Knob): Checkbox | Dropdown | TextField {
    if (knob.type === "boolean") {
      const box = h("vscode-checkbox", {}, this.label) as unknown as Checkbox;
      // Not its "change" event, which showing the state fires too; and at the click the box may not have changed yet.
      box.addEventListener("click", () => {
        if (!box.disabled) this.change(this.value !== true);
      });
      return box;
    }
    if (knob.type === "enum") {
      const dropdown = h(
        "vscode-dropdown",
        { "aria-label": this.label },
        ...knob.choices!.map((choice) => h("vscode-option", { value: choice }, choice)),
      ) as unknown as Dropdown;
      dropdown.addEventListener("change", () => this.change(dropdown.value));
      return dropdown;
    }
    const field = h("vscode-text-field", { size: "6", "aria-label": this.label }) as unknown as TextField;
    const commit = () => {
      this.editing = false;
      const number = Number(field.value);
      if (field.value.trim() === "" || !Number.isFinite(number)) {
        this.note.textContent = "a number, please";
        return;
      }
      this.change(number);
    };
    field.addEventListener("input", () => (this.editing = true));
    field.addEventListener("blur", () => (this.editing = false));
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") commit();
      if (event.key === "Escape") this.editing = false;
    });
    return field;
  }
}

/** All, each kind over all blocks, each block, each matrix. */
function scopes(tensors: readonly string[]): { value: string; label: string }[] {
  const places = tensors.map(placeOf).filter(({ block }) => block !== "");
  const kinds = [...new Set(places.map(({ kind }) => kind))].map((kind) => `*.${kind}`);
  const blocks = [...new Set(places.map(({ block }) => block))].map((block) => `${block}.*`);
  return [
    { value: EVERYTHING, label: "all matrices" },
    ...[...kinds, ...blocks, ...tensors].map((scope) => ({ value: scope, label: scope })),
  ];
}
