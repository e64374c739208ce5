/** Lines over steps or time, for one run or several: loss, learning rate, a scalar of every matrix. */
import { formatCount, formatDuration, formatNumber, formatTick } from "../../extension/protocol/format";
import type { DataMessage, SeriesData, SeriesRequest } from "../../extension/protocol/panels";
import { fit } from "./axis";
import { LineChart, type Line } from "./chart";
import { h } from "./dom";
import { HeatMap } from "./heatMap";
import { announce, Panel, type Table } from "./panel";
import type { Scene } from "./scene";
import { mix } from "./theme";

export interface Drawn {
  tag: string;
  name: (run: number) => string;
  style: (run: number) => { color: string; dash?: number[]; width?: number };
  /** The raw values as a faint line, their average as the line. */
  smooth?: boolean;
  dots?: boolean;
}

export interface Plan {
  lines: Drawn[];
  logY: boolean;
  /** Tags whose values stand above the chart. */
  readings: readonly string[];
  /** Rows of colour instead of lines. */
  heatMap?: boolean;
  /** Default: short for ticks, four digits for readings. */
  format?: (value: number) => string;
}

/** A reduced series changes with every pixel of width: ask in these steps. */
const WIDTH_STEP = 200;
const TABLE_ROWS = 200;
const MARK_TOLERANCE_PIXELS = 6;

export class SeriesPanel {
  readonly panel: Panel;
  private readonly lineChart: LineChart;
  /** Made when it is first asked for. */
  private heatMap: HeatMap | undefined;
  private readonly plot = h("div", { class: "plot", role: "img", tabindex: "0" });
  private data = new Map<string, SeriesData>();

  constructor(
    private readonly scene: Scene,
    id: string,
    title: string,
    private readonly plan: () => Plan,
  ) {
    this.panel = new Panel(id, title, () => this.table(), scene.seen);
    this.lineChart = new LineChart(scene.point, scene.zoom);
    this.plot.append(this.lineChart.element);
    this.panel.body.append(this.plot);
    this.plot.addEventListener("keydown", (event) => this.key(event));
  }

  requests(): SeriesRequest[] {
    if (!this.panel.visible) return [];
    const { axis, range, smoothing } = this.scene;
    const width = Math.ceil(this.chart.width / WIDTH_STEP) * WIDTH_STEP;
    return this.plan().lines.map(({ tag, smooth }) => ({
      panel: this.panel.id,
      tag,
      axis,
      range,
      width,
      smoothing: smooth ? smoothing : 0,
    }));
  }

  private get chart(): LineChart | HeatMap {
    return this.plan().heatMap && this.heatMap ? this.heatMap : this.lineChart;
  }

  get visible(): boolean {
    return this.panel.visible;
  }

  receive(message: DataMessage): void {
    const mine = message.series.filter(({ panel, axis }) => panel === this.panel.id && axis === this.scene.axis);
    for (const series of mine) {
      this.data.set(`${series.run}/${series.tag}`, series);
      this.scene.extent = Math.max(this.scene.extent, series.x.at(-1) ?? 0);
    }
  }

  /** Runs have other numbers now. */
  forget(): void {
    this.data.clear();
  }

  draw(): void {
    const plan = this.plan();
    const lines: Line[] = [];
    for (const { drawn, run, data } of this.shown(plan)) {
      const style = drawn.style(run);
      const name = drawn.name(run);
      if (data.smooth) {
        lines.push({ name, x: data.x, y: data.y, ...style, dash: [], width: 1, color: mix(style.color, 0.3) });
        lines.push({ name, x: data.smooth.x, y: data.smooth.y, ...style });
      } else {
        lines.push({ name, x: data.x, y: data.y, ...style, ...(drawn.dots && { dots: data.x.length < 100 }) });
      }
    }
    const { bounds, axis, logX } = this.scene;
    const values = lines.map((line) => line.y);
    this.chosen(plan).draw({
      lines,
      x: { log: logX, ...bounds, format: (value) => (axis === "step" ? formatCount(value) : formatDuration(value)) },
      y: { log: plan.logY, ...fit(values, plan.logY), format: plan.format ?? formatTick },
      marks: this.scene.marks(),
    });
    this.moved();
    this.panel.refreshTable();
    this.panel.summary = this.describe(plan);
  }

  /** Puts the drawing that is asked for on the page. */
  private chosen(plan: Plan): LineChart | HeatMap {
    if (plan.heatMap) this.heatMap ??= new HeatMap(this.scene.point, this.scene.zoom);
    const { chart } = this;
    if (this.plot.firstChild !== chart.element) this.plot.replaceChildren(chart.element);
    return chart;
  }

  /** The cursor moved. */
  moved(): void {
    this.chart.setCursor(this.scene.cursor);
    const plan = this.plan();
    const read = this.shown(plan).filter(({ drawn }) => plan.readings.includes(drawn.tag));
    const parts = read.map(({ drawn, run, data }) => {
      const { color, dash } = drawn.style(run);
      const swatch = h("i", { class: dash?.length ? "swatch dashed" : "swatch" });
      swatch.style.color = color;
      return h("span", { class: "reading" }, swatch, `${drawn.name(run)} `, h("b", {}, this.valueText(data, plan.format ?? formatNumber)));
    });
    const { cursor, axis } = this.scene;
    const at =
      cursor === null ? [] : [h("span", { class: "reading at" }, axis === "step" ? `step ${formatCount(cursor)}` : formatDuration(cursor))];
    const legend = plan.heatMap && this.heatMap ? [this.heatMap.legend()] : [];
    this.panel.readings.replaceChildren(...at, ...parts, ...legend, ...this.markReadings());
  }

  /** Value of a line at the cursor, or its latest. */
  valueOf(tag: string, run = 0): number | undefined {
    const data = this.data.get(`${run}/${tag}`);
    return data && this.valueAt(data.x, data.y);
  }

  private valueText(data: SeriesData, format: (value: number) => string): string {
    const raw = this.valueAt(data.x, data.y);
    if (raw === undefined) return "–";
    const smooth = data.smooth && this.valueAt(data.smooth.x, data.smooth.y);
    return smooth === null || smooth === undefined ? format(raw) : `${format(smooth)} (raw ${format(raw)})`;
  }

  private valueAt(x: Float64Array, y: Float64Array): number | undefined {
    if (this.scene.cursor === null) return y.at(-1);
    let at = -1;
    while (at + 1 < x.length && x[at + 1]! <= this.scene.cursor + 0.5) at++;
    return at < 0 ? undefined : y[at];
  }

  private markReadings(): HTMLElement[] {
    const { min, max } = this.scene.bounds;
    return this.scene
      .marksNearCursor(((max - min) / this.chart.width) * MARK_TOLERANCE_PIXELS)
      .map((marker) => h("span", { class: "reading mark", title: marker.detail }, `▏step ${formatCount(marker.step)}: ${marker.detail}`));
  }

  private shown(plan: Plan): { drawn: Drawn; run: number; data: SeriesData }[] {
    return plan.lines.flatMap((drawn) =>
      this.scene.runs.flatMap((_, run) => {
        const data = this.data.get(`${run}/${drawn.tag}`);
        return data ? [{ drawn, run, data }] : [];
      }),
    );
  }

  private describe(plan: Plan): string {
    const parts = this.shown(plan).map(({ drawn, run, data }) => {
      const { min, max } = fit([data.y], false);
      return `${drawn.name(run)}: ${data.x.length} points, latest ${formatNumber(data.y.at(-1))}, between ${formatNumber(min, 3)} and ${formatNumber(max, 3)}`;
    });
    const marks = this.scene.markers.filter((marker) => marker.kind === "set").map((marker) => `step ${marker.step} ${marker.detail}`);
    return `Line chart. ${parts.slice(0, 12).join("; ")}. ${marks.length > 0 ? `Interventions: ${marks.join("; ")}.` : "No interventions."} Arrow keys move the cursor.`;
  }

  private table(): Table {
    const shown = this.shown(this.plan());
    const all = [...new Set(shown.flatMap(({ data }) => [...data.x]))].sort((a, b) => a - b);
    const every = Math.max(1, Math.ceil(all.length / TABLE_ROWS));
    const steps = all.filter((_, i) => i % every === 0 || i === all.length - 1);
    const columns = shown.map(({ data }) => new Map(Array.from(data.x, (x, i) => [x, data.y[i]!])));
    return {
      head: [this.scene.axis === "step" ? "Step" : "Time", ...shown.map(({ drawn, run }) => drawn.name(run))],
      rows: steps
        .reverse()
        .map((x) => [
          this.scene.axis === "step" ? formatCount(x) : formatDuration(x),
          ...columns.map((column) => (column.has(x) ? formatNumber(column.get(x)) : "")),
        ]),
    };
  }

  private key(event: KeyboardEvent): void {
    const direction = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    const steps = [...new Set(this.shown(this.plan()).flatMap(({ data }) => [...data.x]))].sort((a, b) => a - b);
    if (event.key === "Escape") {
      if (this.scene.cursor !== null) this.scene.point(null);
      else this.scene.zoom(null);
    } else if (direction !== 0 && steps.length > 0) {
      const cursor = this.scene.cursor ?? Infinity;
      const next = direction > 0 ? (steps.find((x) => x > cursor) ?? steps.at(-1)!) : (steps.findLast((x) => x < cursor) ?? steps[0]!);
      this.scene.point(next);
      announce(this.panel.readings.textContent ?? "");
    } else if (event.key === "Home" || event.key === "End") {
      const next = event.key === "Home" ? steps[0] : steps.at(-1);
      if (next !== undefined) this.scene.point(next);
    } else {
      return;
    }
    event.preventDefault();
  }
}
