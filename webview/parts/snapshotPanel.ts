/**
 * A histogram or vector of one matrix, at one or several taps, at a chosen step or the latest: what a stage of the
 * optimizer did to it. With several runs: one tap of each, side by side.
 */
import { formatCount, formatNumber, formatTick } from "../../extension/protocol/format";
import type { Catalog, Channel, DataMessage, SnapshotData, SnapshotRequest } from "../../extension/protocol/panels";
import { matrixTag } from "../../extension/protocol/tags";
import { fit, type Axis } from "./axis";
import { LineChart, type Line } from "./chart";
import { h, Picker, segmented } from "./dom";
import { Panel, type Table } from "./panel";
import type { Scene } from "./scene";
import { beforeAndAfter, inWords, numbersTable, outline, range, type Shown } from "./snapshotShapes";
import { StepSlider } from "./stepSlider";
import { mix, slotStyle, theme } from "./theme";

export interface SnapshotView {
  channel: string;
  /** Taps that are drawn; with several runs the last only. */
  taps: string[];
  /** Null: the latest. */
  step: number | null;
  layout: "overlay" | "beside";
}

export class SnapshotPanel {
  readonly panel: Panel;
  private readonly channelPicker: Picker;
  private readonly tensorPicker: Picker;
  private readonly layout: HTMLElement;
  private readonly taps = h("div", { class: "taps", role: "group", "aria-label": "Taps" });
  private readonly charts = h("div", { class: "snapshots" });
  private readonly numbers = h("div", { class: "snapshot-numbers" });
  private readonly slider: StepSlider | undefined;
  private readonly plots = new Map<string, { chart: LineChart; host: HTMLElement }>();
  private catalog: Catalog = { plain: [], channels: [], tensors: [] };
  private data = new Map<string, SnapshotData>();

  /** `own` slider: false where the page has one for all its panels. */
  constructor(
    private readonly scene: Scene,
    id: string,
    private readonly view: SnapshotView,
    private readonly selected: () => string,
    select: (tensor: string) => void,
    private readonly changed: () => void,
    own: { slider: boolean },
  ) {
    this.panel = new Panel(id, "Neuron norms", () => this.table(), scene.seen);
    this.channelPicker = new Picker("Quantity", (channel) => this.change({ channel, taps: [] }));
    this.tensorPicker = new Picker("Matrix", select);
    this.layout = segmented(
      "Layout",
      [
        { value: "overlay", label: "Overlay" },
        { value: "beside", label: "Side by Side" },
      ],
      view.layout,
      (value) => this.change({ layout: value as SnapshotView["layout"] }),
    );
    this.panel.tools.append(this.taps, this.layout, this.channelPicker.element, this.tensorPicker.element);
    this.panel.body.append(this.charts, this.numbers);
    if (own.slider) {
      this.slider = new StepSlider("Step", "Follow the run", (step) => this.change({ step }));
      this.panel.element.append(this.slider.element);
    }
  }

  show(catalog: Catalog): void {
    this.catalog = catalog;
    const channels = catalog.channels.filter(({ shape }) => shape !== "scalar");
    const channel =
      channels.find(({ id }) => id === this.view.channel) ?? channels.find(({ shape }) => shape === "histogram") ?? channels[0];
    if (channel) {
      this.view.channel = channel.id;
      const kept = this.view.taps.filter((tap) => channel.taps.includes(tap));
      this.view.taps = kept.length > 0 ? kept : beforeAndAfter(channel.taps);
    }
    this.panel.setTitle(channel?.title ?? "Distribution", channel?.meaning ?? "");
    this.layout.hidden = this.scene.comparing;
    this.channelPicker.show(channels.length > 1 ? channels.map(({ id, title }) => ({ value: id, label: title })) : [], this.view.channel);
    this.tensorPicker.show(
      catalog.tensors.map((tensor) => ({ value: tensor, label: tensor })),
      this.selected(),
    );
    this.showTaps(channel?.taps ?? []);
  }

  requests(): SnapshotRequest[] {
    const tensor = this.selected();
    if (!this.panel.visible || !tensor || !this.view.channel) return [];
    return this.drawnTaps().map((tap) => ({ panel: this.panel.id, tag: matrixTag(this.view.channel, tap, tensor), step: this.view.step }));
  }

  get visible(): boolean {
    return this.panel.visible;
  }

  receive(message: DataMessage): void {
    const mine = message.snapshots.filter(({ panel }) => panel === this.panel.id);
    for (const data of mine) this.data.set(`${data.run}/${data.tag}`, data);
  }

  forget(): void {
    this.data.clear();
  }

  /** Steps at which what is shown was measured, ascending. */
  steps(): number[] {
    return [...new Set(this.shown().flatMap(({ data }) => [...data.steps]))].sort((a, b) => a - b);
  }

  draw(): void {
    const shown = this.shown();
    const beside = this.scene.comparing || this.view.layout === "beside";
    const groups = beside ? shown.map((each) => [each]) : shown.length > 0 ? [shown] : [];
    const wanted = new Map(groups.map((group) => [beside ? group[0]!.key : "all", group]));
    for (const [key, { host }] of this.plots) {
      if (wanted.has(key)) continue;
      host.remove();
      this.plots.delete(key);
    }
    const axes = this.axes(shown);
    for (const [key, group] of wanted) this.plot(key, group, axes, beside);
    this.numbers.replaceChildren(...(shown.length > 0 ? [numbersTable(shown)] : []));
    this.panel.readings.replaceChildren(
      ...(shown.some(({ data }) => data.value) ? [] : [h("span", { class: "reading" }, "Not measured yet at this matrix.")]),
    );
    this.slider?.show(this.steps(), this.view.step, this.scene.markers);
    this.panel.refreshTable();
  }

  private change(view: Partial<SnapshotView>): void {
    Object.assign(this.view, view);
    this.show(this.catalog);
    this.changed();
  }

  private drawnTaps(): string[] {
    return this.scene.comparing ? this.view.taps.slice(-1) : this.view.taps;
  }

  private channel(): Channel | undefined {
    return this.catalog.channels.find(({ id }) => id === this.view.channel);
  }

  private shown(): Shown[] {
    const tensor = this.selected();
    return this.drawnTaps().flatMap((tap) =>
      this.scene.runs.flatMap((run, r) => {
        const data = this.data.get(`${r}/${matrixTag(this.view.channel, tap, tensor)}`);
        if (!data) return [];
        const style = slotStyle(theme(), this.scene.comparing ? run.slot : this.tapSlot(tap));
        return [{ key: `${r}/${tap}`, name: this.scene.comparing ? run.name : tap, ...style, data }];
      }),
    );
  }

  /** The last stage in the first colour: what is applied looks the same whatever is shown beside it. */
  private tapSlot(tap: string): number {
    return this.view.taps.length - 1 - this.view.taps.indexOf(tap);
  }

  private showTaps(taps: string[]): void {
    const drawn = this.drawnTaps();
    this.taps.replaceChildren(
      ...taps.map((tap) => {
        const on = drawn.includes(tap);
        const swatch = h("i", { class: on && !this.scene.comparing ? "swatch" : "swatch off" });
        if (on) swatch.style.color = slotStyle(theme(), this.tapSlot(tap)).color;
        const title = this.scene.comparing ? `At tap ${tap}` : `${on ? "Hide" : "Show"} tap ${tap}`;
        return h(
          "button",
          { class: "chip", "aria-pressed": String(on), title, onclick: () => this.toggleTap(tap, taps) },
          ...(this.scene.comparing ? [] : [swatch]),
          tap,
        );
      }),
    );
  }

  private toggleTap(tap: string, order: string[]): void {
    if (this.scene.comparing) return this.change({ taps: [tap] });
    const taps = this.view.taps.includes(tap) ? this.view.taps.filter((other) => other !== tap) : [...this.view.taps, tap];
    if (taps.length > 0) this.change({ taps: order.filter((other) => taps.includes(other)) });
  }

  /** The same for all plots, so that they can be compared. */
  private axes(shown: Shown[]): { x: Axis; y: Axis } {
    const channel = this.channel();
    const outlines = shown.map(({ data }) => outline(data));
    const x = { log: false, ...range(outlines.map((line) => line.x)), title: channel?.unit || "", format: formatTick };
    if (channel?.shape === "vector") {
      const log = channel.logarithmic;
      return {
        x: { ...x, title: "index" },
        y: {
          log,
          ...fit(
            outlines.map((line) => line.y),
            log,
          ),
          title: channel.unit,
          format: formatTick,
        },
      };
    }
    const { max } = range(outlines.map((line) => line.y));
    return { x, y: { log: false, min: 0, max: max * 1.08 || 1, title: "share", format: (value) => `${formatTick(value * 100)} %` } };
  }

  private plot(key: string, group: Shown[], axes: { x: Axis; y: Axis }, titled: boolean): void {
    let plot = this.plots.get(key);
    if (!plot) {
      const chart = new LineChart(
        () => undefined,
        () => undefined,
      );
      const host = h("figure", {}, h("figcaption", {}), h("div", { class: "plot", role: "img", tabindex: "0" }, chart.element));
      plot = { chart, host };
      this.plots.set(key, plot);
      this.charts.append(host);
    }
    const first = group[0]!;
    const caption = plot.host.querySelector("figcaption")!;
    caption.hidden = !titled;
    caption.textContent = `${first.name} · ${first.data.value ? `step ${formatCount(first.data.value.step)}` : "not measured"}`;
    const lines = group.map(({ name, color, dash, data }): Line => ({
      name,
      color,
      dash,
      ...outline(data),
      ...(data.value?.shape === "histogram" && { fill: mix(color, 0.28) }),
    }));
    plot.chart.draw({ lines, ...axes, marks: [] });
    plot.host
      .querySelector("[role=img]")!
      .setAttribute("aria-label", group.map((each) => `${each.name}: ${inWords(each.data)}`).join("; "));
  }

  private table(): Table {
    const shown = this.shown();
    const first = shown.find(({ data }) => data.value)?.data.value;
    if (!first) return { head: ["Nothing measured"], rows: [] };
    if (first.shape === "vector") {
      return {
        head: ["Index", ...shown.map(({ name }) => name)],
        rows: Array.from(first.values, (_, i) => [
          String(i),
          ...shown.map(({ data }) => (data.value?.shape === "vector" ? formatNumber(data.value.values[i]) : "")),
        ]),
      };
    }
    return {
      head: ["From", "To", ...shown.map(({ name }) => name)],
      rows: Array.from(first.counts, (_, i) => [
        formatNumber(first.edges[i]!, 3),
        formatNumber(first.edges[i + 1]!, 3),
        ...shown.map(({ data }) => (data.value?.shape === "histogram" ? formatCount(data.value.counts[i] ?? 0) : "")),
      ]),
    };
  }
}
