/** Elements in one call, and the pickers made of them. */
import "./toolkit";
import type { Dropdown } from "./toolkit";

type Child = Node | string;
type Attributes = Record<string, string | boolean | ((event: Event) => void)>;

/** `on…` attributes are listeners, `true` an empty attribute, `false` none. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes?: Attributes,
  ...children: Child[]
): HTMLElementTagNameMap[Tag];
export function h(tag: string, attributes?: Attributes, ...children: Child[]): HTMLElement;
export function h(tag: string, attributes: Attributes = {}, ...children: Child[]): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** 16 × 16 paths, filled with the text's colour. */
const ICONS = {
  pause: "M4 2h3v12H4zM9 2h3v12H9z",
  play: "M4 2l9 6-9 6z",
  step: "M3 2l7 6-7 6zM11 2h2v12h-2z",
  save: "M2 2h9l3 3v9H2zM4 3v4h6V3zM8 4h1.5v2H8zM4.5 9v4h7V9z",
  measure: "M1 5h14v6H1zm1.2 1.2v3.6h11.6V6.2h-1.3v2h-1v-2H9.3v1.3h-1V6.2H6.1v2h-1v-2H3.6v1.3h-1V6.2z",
  stop: "M3 3h10v10H3z",
  table: "M1 2h14v12H1zm1.2 4v2.3h3.6V6zm4.8 0v2.3h6.8V6zM2.2 9.5v3.3h3.6V9.5zm4.8 0v3.3h6.8V9.5z",
  close: "M3.5 2.6L8 7.1l4.5-4.5.9.9L8.9 8l4.5 4.5-.9.9L8 8.9l-4.5 4.5-.9-.9L7.1 8 2.6 3.5z",
} as const;

export type Icon = keyof typeof ICONS;

export function icon(name: Icon): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

export interface Choice {
  value: string;
  label: string;
}

/** A dropdown whose choices may change while it is open to the user; rebuilt only when they did. */
export class Picker {
  readonly element: HTMLElement;
  private readonly dropdown: Dropdown;
  private shown = "";
  private value = "";

  constructor(
    label: string,
    private readonly onPick: (value: string) => void,
  ) {
    this.dropdown = h("vscode-dropdown", {
      "aria-label": label,
      title: label,
      onchange: () => this.onPick(this.dropdown.value),
    }) as Dropdown;
    this.element = this.dropdown;
  }

  show(choices: readonly Choice[], value: string): void {
    const key = JSON.stringify(choices);
    if (key !== this.shown) {
      this.shown = key;
      this.dropdown.replaceChildren(...choices.map((choice) => h("vscode-option", { value: choice.value }, choice.label)));
      // The dropdown learns of new options after this task, and then selects the one at the old one's place.
      requestAnimationFrame(() => this.select());
    }
    this.value = value;
    this.select();
    this.dropdown.hidden = choices.length === 0;
  }

  private select(): void {
    if (this.dropdown.value !== this.value) this.dropdown.value = this.value;
  }
}

/** A row of buttons of which one is pressed. */
export function segmented(label: string, choices: readonly Choice[], value: string, onPick: (value: string) => void): HTMLElement {
  const group = h("div", { class: "segmented", role: "radiogroup", "aria-label": label });
  const pick = (picked: string, focus: boolean) => {
    for (const button of group.querySelectorAll("button")) {
      const on = button.value === picked;
      button.setAttribute("aria-checked", String(on));
      button.tabIndex = on ? 0 : -1;
      if (on && focus) button.focus();
    }
  };
  for (const choice of choices) {
    group.append(
      h("button", { role: "radio", value: choice.value, onclick: () => (pick(choice.value, false), onPick(choice.value)) }, choice.label),
    );
  }
  group.addEventListener("keydown", (event) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = choices.findIndex((choice) => choice.value === (event.target as HTMLButtonElement).value);
    const next = choices[(at + step + choices.length) % choices.length]!;
    pick(next.value, true);
    onPick(next.value);
  });
  pick(value, false);
  return group;
}
