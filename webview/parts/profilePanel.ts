/** A scalar of every matrix at one step, the runs side by side: how it differs with depth and kind of matrix. */
import { formatNumber, formatTick } from "../../extension/protocol/format";
import type { Catalog, DataMessage, ProfileData, ProfileRequest } from "../../extension/protocol/panels";
import { fit } from "./axis";
import { LineChart, type Line } from "./chart";
import { h, Picker } from "./dom";
import { MatrixTable, placeOf } from "./matrices";
import { Panel, type Table } from "./panel";
import type { Scene } from "./scene";
import { slotStyle, theme } from "./theme";

export interface ProfileView {
  channel: string;
  tap: string;
  step: number | null;
}

export class ProfilePanel {
  readonly panel: Panel;
  private readonly kindPicker: Picker;
  private readonly plot = h("div", { class: "plot", role: "img", tabindex: "0" });
  private readonly chart: LineChart;
  private readonly data = new Map<number, ProfileData>();
  private catalog: Catalog = { plain: [], channels: [], tensors: [] };

  /** The kind of matrix drawn is that of the selected one. */
  constructor(
    private readonly scene: Scene,
    private readonly view: ProfileView,
    private readonly selected: () => string,
    private readonly select: (tensor: string) => void,
  ) {
    this.panel = new Panel("profile", "By layer", () => this.table(), scene.seen);
    this.chart = new LineChart(
      () => undefined,
      () => undefined,
    );
    this.plot.append(this.chart.element);
    this.panel.body.append(this.plot);
    this.kindPicker = new Picker("Kind of matrix", (kind) => {
      const { block } = placeOf(this.selected());
      const matrices = new MatrixTable(this.catalog.tensors);
      const tensor = matrices.at(block, kind) ?? this.catalog.tensors.find((name) => placeOf(name).kind === kind);
      if (tensor) this.select(tensor);
    });
    this.panel.tools.append(this.kindPicker.element);
  }

  show(catalog: Catalog): void {
    this.catalog = catalog;
    const channel = catalog.channels.find(({ id }) => id === this.view.channel);
    this.panel.setTitle(`${channel?.title ?? "Scalar"} by layer`, channel?.meaning ?? "");
    const { kinds } = new MatrixTable(catalog.tensors);
    this.kindPicker.show(
      kinds.map((kind) => ({ value: kind, label: kind })),
      placeOf(this.selected()).kind,
    );
  }

  requests(): ProfileRequest[] {
    const { channel, tap, step } = this.view;
    return this.panel.visible && channel ? [{ panel: this.panel.id, channel, tap, step }] : [];
  }

  get visible(): boolean {
    return this.panel.visible;
  }

  receive(message: DataMessage): void {
    const mine = message.profiles.filter(({ panel }) => panel === this.panel.id);
    for (const data of mine) this.data.set(data.run, data);
  }

  forget(): void {
    this.data.clear();
  }

  steps(): number[] {
    return [...this.data.values()].flatMap(({ steps }) => [...steps]);
  }

  draw(): void {
    const tensors = this.tensors();
    const lines = this.scene.runs.flatMap((run, r): Line[] => {
      const values = this.valuesOf(r, tensors);
      return values ? [{ name: run.name, x: tensors.map((_, i) => i), y: values, ...slotStyle(theme(), run.slot), dots: true }] : [];
    });
    const log = this.catalog.channels.find(({ id }) => id === this.view.channel)?.logarithmic ?? false;
    this.chart.draw({
      lines,
      x: {
        log: false,
        min: -0.3,
        max: tensors.length - 0.7,
        ticks: tensors.map((_, i) => i),
        format: (i) => placeOf(tensors[i] ?? "").block || (tensors[i] ?? ""),
      },
      y: {
        log,
        ...fit(
          lines.map(({ y }) => y),
          log,
        ),
        format: formatTick,
      },
      marks: [],
    });
    this.panel.refreshTable();
    this.panel.summary = `Line chart over layers. ${lines.map(({ name, y }) => `${name}: ${Array.from(y, (value) => formatNumber(value, 3)).join(", ")}`).join("; ")}`;
  }

  private tensors(): string[] {
    const { kind } = placeOf(this.selected());
    return this.catalog.tensors.filter((tensor) => placeOf(tensor).kind === kind);
  }

  private valuesOf(run: number, tensors: string[]): number[] | undefined {
    const data = this.data.get(run);
    if (!data || data.channel !== this.view.channel || data.tap !== this.view.tap) return undefined;
    return tensors.map((tensor) => data.values[data.tensors.indexOf(tensor)] ?? NaN);
  }

  private table(): Table {
    const tensors = this.catalog.tensors;
    const columns = this.scene.runs.map((_, run) => this.valuesOf(run, tensors));
    return {
      head: ["Matrix", ...this.scene.runs.map(({ name }) => name)],
      rows: tensors.map((tensor, i) => [
        tensor,
        ...columns.map((values) => (values && !Number.isNaN(values[i]) ? formatNumber(values[i]) : "–")),
      ]),
    };
  }
}
