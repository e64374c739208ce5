/** What applies to all charts of a page: smoothing and logarithmic axes. */
import { formatNumber } from "../../extension/protocol/format";
import { h } from "./dom";
import type { Checkbox } from "./toolkit";

interface Options {
  smoothing: number;
  logX: boolean;
  logLoss: boolean;
}

export class ChartOptions {
  readonly element: HTMLElement;

  /** `options` is changed in place. */
  constructor(options: Options, labels: { log: string }, changed: () => void, ...more: HTMLElement[]) {
    const text = h("output", {}, formatNumber(options.smoothing, 3));
    // By how many decades the weight comes near to 1: 0, 0.9, 0.99, 0.999 are equally far apart.
    const slider = h("input", {
      type: "range",
      min: "0",
      max: "3",
      step: "0.1",
      value: String(-Math.log10(1 - options.smoothing)),
      "aria-label": "Smoothing",
      oninput: () => {
        options.smoothing = 1 - 10 ** -Number(slider.value);
        text.textContent = formatNumber(options.smoothing, 3);
        changed();
      },
    });
    const box = (label: string, key: "logX" | "logLoss") => {
      const element = h("vscode-checkbox", options[key] ? { checked: true } : {}, label) as unknown as Checkbox;
      element.addEventListener("change", () => {
        if (options[key] === element.checked) return;
        options[key] = element.checked;
        changed();
      });
      return element;
    };
    this.element = h(
      "div",
      { class: "options" },
      ...more,
      h(
        "label",
        { class: "field", title: "Weight of the bias-corrected moving average; the raw values stay as a faint line" },
        "Smoothing",
        slider,
        text,
      ),
      box("Log Steps", "logX"),
      box(labels.log, "logLoss"),
      h("span", { class: "hint" }, "Drag to zoom, double-click to show all"),
    );
  }
}
