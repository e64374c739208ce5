/** A scalar of every matrix over time, whatever channel yields it, and the values in a table that picks the matrix to look at. */
import { formatNumber } from "../../extension/protocol/format";
import type { Catalog, DataMessage, ProfileData, ProfileRequest, SeriesRequest } from "../../extension/protocol/panels";
import { matrixTag } from "../../extension/protocol/tags";
import { h, Picker, segmented } from "./dom";
import { MatrixTable, placeOf } from "./matrices";
import type { Scene } from "./scene";
import { SeriesPanel, type Plan } from "./seriesPanel";
import { blend, theme } from "./theme";

export interface MatrixView {
  channel: string;
  tap: string;
  /** Kinds of matrix that are not drawn; null: not chosen. */
  hidden: string[] | null;
  drawing: "lines" | "heatMap";
}

/** Beyond these a chart says nothing: only the first kind is drawn until its user asks for more. */
const MANY_LINES = 24;

export class MatrixPanel {
  readonly series: SeriesPanel;
  private readonly channelPicker: Picker;
  private readonly tapPicker: Picker;
  private readonly table = h("div", { class: "matrix-table" });
  private matrices = new MatrixTable([]);
  private catalog: Catalog = { plain: [], channels: [], tensors: [] };
  private profile: ProfileData | undefined;

  /** `view` is changed in place; `changed` stores it. `select`: a matrix was chosen. */
  constructor(
    private readonly scene: Scene,
    id: string,
    private readonly view: MatrixView,
    private readonly selected: () => string,
    private readonly select: (tensor: string) => void,
    private readonly changed: () => void,
  ) {
    this.series = new SeriesPanel(scene, id, "Condition number", () => this.plan());
    this.channelPicker = new Picker("Quantity", (channel) => this.change({ channel }));
    this.tapPicker = new Picker("Tap: where in the optimizer it is measured", (tap) => this.change({ tap }));
    const drawing = segmented(
      "Drawing",
      [
        { value: "lines", label: "Lines" },
        { value: "heatMap", label: "Heat Map" },
      ],
      view.drawing,
      (value) => this.change({ drawing: value as MatrixView["drawing"] }),
    );
    this.series.panel.tools.append(drawing, this.channelPicker.element, this.tapPicker.element);
    this.series.panel.body.classList.add("with-table");
    this.series.panel.body.append(this.table);
  }

  show(catalog: Catalog): void {
    this.catalog = catalog;
    this.matrices = new MatrixTable(catalog.tensors);
    const scalars = catalog.channels.filter((channel) => channel.shape === "scalar");
    const channel = scalars.find(({ id }) => id === this.view.channel) ?? scalars[0];
    if (channel) {
      this.view.channel = channel.id;
      if (!channel.taps.includes(this.view.tap)) this.view.tap = channel.taps.find((tap) => tap === "update") ?? channel.taps[0]!;
    }
    this.channelPicker.show(
      scalars.map(({ id, title }) => ({ value: id, label: title })),
      this.view.channel,
    );
    this.tapPicker.show(
      (channel?.taps ?? []).map((tap) => ({ value: tap, label: tap })),
      this.view.tap,
    );
    this.series.panel.setTitle(
      channel?.title ?? "Per matrix",
      channel ? `${channel.meaning}${channel.unit ? ` Unit: ${channel.unit}.` : ""}` : "",
    );
  }

  requests(): { series: SeriesRequest[]; profiles: ProfileRequest[] } {
    const { panel } = this.series;
    const profiles =
      panel.visible && this.view.channel ? [{ panel: panel.id, channel: this.view.channel, tap: this.view.tap, step: null }] : [];
    return { series: this.series.requests(), profiles };
  }

  get visible(): boolean {
    return this.series.visible;
  }

  receive(message: DataMessage): void {
    const profile = message.profiles.find(({ panel }) => panel === this.series.panel.id);
    if (profile) this.profile = profile;
    this.series.receive(message);
  }

  draw(): void {
    this.series.draw();
    this.drawTable();
  }

  moved(): void {
    this.series.moved();
    this.drawTable();
  }

  private change(view: Partial<MatrixView>): void {
    Object.assign(this.view, view);
    this.show(this.catalog);
    this.changed();
  }

  private plan(): Plan {
    const channel = this.catalog.channels.find(({ id }) => id === this.view.channel);
    const shown = this.matrices.tensors.filter((tensor) => !this.hidden().includes(placeOf(tensor).kind));
    const selected = this.selected();
    const heatMap = this.view.drawing === "heatMap";
    // Lines: the selected one last, so uppermost, and in full colour.
    const lines = heatMap ? shown : [...shown.filter((tensor) => tensor !== selected), ...shown.filter((tensor) => tensor === selected)];
    return {
      heatMap,
      logY: channel?.logarithmic ?? false,
      readings: [matrixTag(this.view.channel, this.view.tap, selected)],
      lines: lines.map((tensor) => ({
        tag: matrixTag(this.view.channel, this.view.tap, tensor),
        name: () => tensor,
        style: () =>
          tensor === selected ? { color: this.matrices.hue(tensor), width: 3 } : { color: this.matrices.color(tensor), width: 1.25 },
      })),
    };
  }

  private hidden(): string[] {
    return this.view.hidden ?? (this.matrices.tensors.length > MANY_LINES ? this.matrices.kinds.slice(1) : []);
  }

  /** Rows are blocks, columns kinds of matrix; a click on a value chooses the matrix, on a column shows or hides its lines. */
  private drawTable(): void {
    const { kinds, blocks } = this.matrices;
    const latest = new Map(this.profile?.tensors.map((tensor, i) => [tensor, this.profile!.values[i]!]));
    const selected = this.selected();
    const cell = (block: string, kind: string) => {
      const tensor = this.matrices.at(block, kind);
      if (tensor === undefined) return h("td");
      const off = this.hidden().includes(kind);
      const drawn = off ? undefined : this.series.valueOf(matrixTag(this.view.channel, this.view.tap, tensor));
      const value = this.scene.cursor === null ? (latest.get(tensor) ?? drawn) : drawn;
      const swatch = h("i", { class: off ? "swatch off" : "swatch" });
      swatch.style.color = this.matrices.color(tensor);
      const text = value === undefined || Number.isNaN(value) ? "–" : formatNumber(value, 3);
      return h(
        "td",
        {},
        h(
          "button",
          { class: "cell", "aria-pressed": String(tensor === selected), title: `${tensor}: ${text}`, onclick: () => this.select(tensor) },
          swatch,
          text,
        ),
      );
    };
    const column = (kind: string) => {
      const on = !this.hidden().includes(kind);
      const button = h(
        "button",
        { class: "kind", "aria-pressed": String(on), title: `${on ? "Hide" : "Show"} ${kind}`, onclick: () => this.toggle(kind) },
        kind,
      );
      button.style.borderColor = on
        ? blend(theme().palette[kinds.indexOf(kind) % theme().palette.length]!, theme().foreground, 0)
        : "transparent";
      return h("th", { scope: "col" }, button);
    };
    const focused = this.table.contains(document.activeElement) ? (document.activeElement as HTMLElement).title : "";
    this.table.replaceChildren(
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, h("th"), ...kinds.map(column))),
        h("tbody", {}, ...blocks.map((block) => h("tr", {}, h("th", { scope: "row" }, block), ...kinds.map((kind) => cell(block, kind))))),
      ),
    );
    // The table is made anew: who was in it by keyboard stays there.
    if (focused) [...this.table.querySelectorAll("button")].find((button) => button.title.split(":")[0] === focused.split(":")[0])?.focus();
  }

  private toggle(kind: string): void {
    const hidden = this.hidden().includes(kind) ? this.hidden().filter((other) => other !== kind) : [...this.hidden(), kind];
    this.change({ hidden });
  }
}
