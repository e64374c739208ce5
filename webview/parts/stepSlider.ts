/** Chooses one of the steps at which something was measured, or the latest as the run goes on; interventions are ticks on it. */
import { formatCount } from "../../extension/protocol/format";
import type { Marker } from "../../extension/protocol/panels";
import { h } from "./dom";

export class StepSlider {
  readonly element: HTMLElement;
  private readonly input: HTMLInputElement;
  private readonly ticks = h("div", { class: "slider-ticks" });
  private readonly text = h("output", { class: "slider-text" });
  private readonly latest: HTMLButtonElement;
  private steps: number[] = [];

  /** `pick`: a step, or null for the latest. */
  constructor(label: string, meaningOfLatest: string, pick: (step: number | null) => void) {
    this.input = h("input", {
      type: "range",
      min: "0",
      step: "1",
      "aria-label": label,
      oninput: () => {
        const at = Number(this.input.value);
        pick(at === this.steps.length - 1 ? null : this.steps[at]!);
      },
    });
    this.latest = h("button", { class: "text-button", title: meaningOfLatest, onclick: () => pick(null) }, "Latest");
    this.element = h(
      "div",
      { class: "slider" },
      h("span", { class: "slider-label" }, label),
      h("div", { class: "slider-track" }, this.input, this.ticks),
      this.text,
      this.latest,
    );
  }

  /** `chosen`: null = the latest. */
  show(steps: number[], chosen: number | null, markers: readonly Marker[]): void {
    this.steps = steps;
    const wanted = chosen ?? Infinity;
    const at = Math.max(
      0,
      steps.findLastIndex((step) => step <= wanted),
    );
    this.input.max = String(Math.max(0, steps.length - 1));
    this.input.value = String(at);
    this.input.disabled = steps.length < 2;
    this.text.textContent = steps.length > 0 ? `step ${formatCount(steps[at]!)}` : "";
    this.input.setAttribute("aria-valuetext", this.text.textContent);
    this.latest.setAttribute("aria-pressed", String(chosen === null));
    this.ticks.replaceChildren(
      ...markers.flatMap((marker) => {
        // Positions are measurements: the tick stands before the first one that the order could change.
        const index = steps.findIndex((step) => step >= marker.step);
        if (index < 0 || steps.length < 2) return [];
        const tick = h("i", { class: marker.kind === "set" ? "tick strong" : "tick", title: `step ${marker.step}: ${marker.detail}` });
        tick.style.left = `${(Math.max(0, index - 0.5) / (steps.length - 1)) * 100}%`;
        return [tick];
      }),
    );
  }
}
