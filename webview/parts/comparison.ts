/** The words and numbers of a comparison: who is compared, what differs, how soon each run reached a loss. */
import { formatCompact, formatCount, formatDuration, formatNumber } from "../../extension/protocol/format";
import type { ComparedRun, ComparisonMessage, FromCompare, TargetMessage } from "../../extension/protocol/panels";
import { h, icon } from "./dom";
import { STATUS_TEXT } from "./header";
import { slotStyle, theme } from "./theme";
import type { TextField } from "./toolkit";

function swatch(slot: number): HTMLElement {
  const { color, dash } = slotStyle(theme(), slot);
  const element = h("i", { class: dash.length > 0 ? "swatch dashed" : "swatch" });
  element.style.color = color;
  return element;
}

const runHead = (run: ComparedRun) => h("th", { scope: "col", title: run.folder }, swatch(run.slot), run.name);

/** The runs of the page, each with its colour; made anew only when others come or go, so that the keyboard's focus stays. */
export class RunChips {
  readonly element = h("div", { class: "run-chips" });
  private shown = "";
  private runs: readonly ComparedRun[] = [];

  constructor(private readonly send: (message: FromCompare) => void) {}

  show(runs: readonly ComparedRun[]): void {
    this.runs = runs;
    const key = JSON.stringify(runs.map(({ folder, slot, name }) => [folder, slot, name]));
    if (key !== this.shown) this.element.replaceChildren(...runs.map((run) => this.chip(run)), this.addButton());
    this.shown = key;
    this.element.querySelectorAll(".muted").forEach((text, i) => (text.textContent = progress(runs[i]!)));
  }

  recolor(): void {
    this.shown = "";
    this.show(this.runs);
  }

  private chip({ name, slot, folder }: ComparedRun): HTMLElement {
    const button = (label: string, type: "openRun" | "removeRun") => ({
      title: label,
      "aria-label": label,
      onclick: () => this.send({ type, run: folder }),
    });
    return h(
      "span",
      { class: "run-chip" },
      swatch(slot),
      h("button", { class: "text-button", ...button(`Open the dashboard of ${name}`, "openRun") }, name),
      h("span", { class: "muted" }),
      h("button", { class: "icon-button", ...button(`Leave ${name} out`, "removeRun") }, icon("close")),
    );
  }

  private addButton(): HTMLElement {
    return h("button", { class: "text-button", onclick: () => this.send({ type: "addRuns" }) }, "Add Runs…");
  }
}

const progress = (run: ComparedRun): string =>
  `${STATUS_TEXT[run.status].toLowerCase()} · step ${formatCount(run.step)} · loss ${formatNumber(run.validationLoss ?? run.loss)}`;

export function differencesTable(runs: readonly ComparedRun[], differences: ComparisonMessage["differences"]): HTMLElement {
  if (differences.length === 0) return h("p", { class: "muted" }, "The runs have the same configuration.");
  return h(
    "table",
    {},
    h("thead", {}, h("tr", {}, h("th"), ...runs.map(runHead))),
    h(
      "tbody",
      {},
      ...differences.map(({ path, values }) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, path),
          ...values.map((value, i) => h("td", { class: i > 0 && value === values[0] ? "same" : "" }, value ?? "–")),
        ),
      ),
    ),
  );
}

/** Steps, tokens and time to a validation loss, and their ratio to the first run that reached it. */
export class TargetTable {
  readonly element: HTMLElement;
  private readonly field: TextField;
  private readonly table = h("div", { class: "rows" });
  private runs: readonly ComparedRun[] = [];
  private message: TargetMessage | undefined;

  constructor(target: number | null, set: (target: number) => void) {
    this.field = h("vscode-text-field", {
      size: "6",
      "aria-label": "Target validation loss",
      value: target === null ? "" : String(target),
    }) as unknown as TextField;
    const note = h("span", { class: "muted" });
    const commit = () => {
      const value = Number(this.field.value);
      const good = this.field.value.trim() !== "" && Number.isFinite(value);
      note.textContent = good ? "" : "a number, please";
      if (good) set(value);
    };
    this.field.addEventListener("change", commit);
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") commit();
    });
    this.element = h("div", {}, h("label", { class: "field" }, "Validation loss of", this.field, note), this.table);
  }

  setTarget(target: number): void {
    this.field.value = String(target);
  }

  showRuns(runs: readonly ComparedRun[]): void {
    this.runs = runs;
    if (this.message) this.show(this.message);
  }

  show(message: TargetMessage): void {
    this.message = message;
    const reached = message.rows.map((row) => (row && "step" in row ? row : undefined));
    const baseline = reached.find((row) => row !== undefined);
    const ratio = (value: number, base: number | undefined) =>
      base === undefined || base === 0 || value === base ? "" : ` (${formatNumber(value / base, 3)} ×)`;
    const rows = this.runs.map((run, i) => {
      const row = message.rows[i];
      const found = reached[i];
      const best =
        row && "best" in row && row.best !== null
          ? `not reached; best ${formatNumber(row.best)}`
          : row === null
            ? "no validation loss"
            : "not reached";
      const cells = found
        ? [
            formatCount(found.step) + ratio(found.step, baseline?.step),
            formatDuration(found.seconds) + ratio(found.seconds, baseline?.seconds),
            found.tokens === null ? "–" : formatCompact(found.tokens),
          ].map((text) => h("td", {}, text))
        : [h("td", { colspan: "3", class: "same" }, best)];
      return h("tr", {}, h("th", { scope: "row" }, swatch(run.slot), run.name), ...cells);
    });
    const head = ["", "Steps", "Time", "Tokens"].map((text) => h("th", { scope: "col" }, text));
    this.table.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...rows)));
  }
}
