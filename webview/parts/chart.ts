/**
 * The one place that knows Chart.js: lines over two axes, with vertical marks, a cursor and a drag to zoom.
 *
 * Chart.js shows its best when told everything (peers: animation off, no parsing, no decimation plugin, whose drawings
 * stand still under live data, explicit bounds, data replaced rather than pushed). A chart here is given complete
 * contents each time and keeps none of its own but the cursor.
 */
import {
  Chart,
  Filler,
  LinearScale,
  LineController,
  LineElement,
  LogarithmicScale,
  PointElement,
  type ChartConfiguration,
  type ChartDataset,
  type Plugin,
  type ScaleOptionsByType,
} from "chart.js";
import { isRound, tickText, type Axis } from "./axis";
import { drawOverlay, FONT_SIZE, type Area, type Mark } from "./overlay";
import { listen, type Drag, type Pointed } from "./pointer";
import { theme } from "./theme";

Chart.register(LineController, LineElement, PointElement, LinearScale, LogarithmicScale, Filler);

export interface Line {
  name: string;
  x: ArrayLike<number>;
  /** +∞ is drawn as a triangle at the top edge, NaN as a gap. */
  y: ArrayLike<number>;
  color: string;
  width?: number;
  dash?: number[];
  /** A dot at every value. */
  dots?: boolean;
  /** Colour of the area below; makes the line a staircase. */
  fill?: string;
}

export interface Content {
  lines: Line[];
  x: Axis;
  y: Axis;
  marks: Mark[];
}

interface Point {
  x: number;
  y: number;
}

export class LineChart implements Pointed {
  readonly element = document.createElement("div");
  private readonly canvas = document.createElement("canvas");
  private chart: Chart<"line", Point[]> | undefined;
  private kind = "";
  private content: Content | undefined;
  private cursor: number | null = null;
  private drag: Drag = null;

  /** `onCursor`: the pointer is over x, or left. `onZoom`: a range was dragged; null = show all again. */
  constructor(onCursor: (x: number | null) => void, onZoom: (range: { from: number; to: number } | null) => void) {
    this.element.className = "chart";
    this.element.append(this.canvas);
    listen(this.canvas, this, onCursor, onZoom);
  }

  /** Pixels of the plot's width; a guess before the first drawing. */
  get width(): number {
    const area = this.chart?.chartArea;
    return area && area.width > 0 ? Math.round(area.width) : Math.max(100, this.element.clientWidth - 60);
  }

  draw(content: Content): void {
    this.content = content;
    const kind = `${content.x.log}/${content.y.log}`;
    // A scale's type cannot be changed on a chart that lives.
    if (this.chart && kind !== this.kind) {
      this.chart.destroy();
      this.chart = undefined;
    }
    this.kind = kind;
    // Chart.js draws the first one last: here the last line is the uppermost.
    const datasets = datasetsOf(content).reverse();
    if (!this.chart) {
      this.chart = new Chart(this.canvas, this.configuration(content, datasets));
      return;
    }
    this.chart.data.datasets = datasets;
    this.chart.options.scales = scalesOf(content);
    this.chart.update("none");
  }

  setCursor(x: number | null): void {
    if (x === this.cursor) return;
    this.cursor = x;
    this.chart?.draw();
  }

  area(): Area | undefined {
    return this.chart?.chartArea;
  }

  valueAt(pixel: number): number {
    return this.chart?.scales["x"]?.getValueForPixel(pixel) ?? 0;
  }

  dragged(drag: Drag): void {
    this.drag = drag;
    this.chart?.draw();
  }

  private configuration(content: Content, datasets: ChartDataset<"line", Point[]>[]): ChartConfiguration<"line", Point[]> {
    return {
      type: "line",
      data: { datasets },
      options: {
        animation: false,
        parsing: false,
        normalized: true,
        responsive: true,
        maintainAspectRatio: false,
        events: [],
        layout: { padding: { right: 8 } },
        scales: scalesOf(content),
      },
      plugins: [this.overlay()],
    };
  }

  private overlay(): Plugin<"line"> {
    return {
      id: "overlay",
      afterDatasetsDraw: ({ ctx, chartArea, scales }) => {
        const { cursor, drag } = this;
        drawOverlay(ctx, chartArea, (x) => scales["x"]!.getPixelForValue(x), { marks: this.content?.marks ?? [], cursor, drag });
      },
    };
  }
}

function datasetsOf({ lines, x, y }: Content): ChartDataset<"line", Point[]>[] {
  return lines.flatMap((line) => {
    const points: Point[] = [];
    const infinite: Point[] = [];
    for (let i = 0; i < line.x.length; i++) {
      const at = line.x[i]!;
      const value = line.y[i]!;
      if (x.log && at <= 0) continue;
      if (value === Infinity) infinite.push({ x: at, y: y.max });
      points.push({ x: at, y: Number.isFinite(value) && !(y.log && value <= 0) ? value : NaN });
    }
    const common = { label: line.name, borderColor: line.color, backgroundColor: line.color, borderWidth: line.width ?? 1.5 };
    // A value with gaps on both sides would draw no line: it gets a dot.
    const alone = points.map(
      (point, i) => Number.isFinite(point.y) && !Number.isFinite(points[i - 1]?.y) && !Number.isFinite(points[i + 1]?.y),
    );
    const drawn: ChartDataset<"line", Point[]> = {
      ...common,
      data: points,
      borderDash: line.dash ?? [],
      pointRadius: line.dots ? 2.5 : alone.includes(true) ? (context) => (alone[context.dataIndex] ? 2 : 0) : 0,
      stepped: line.fill ? "before" : false,
      fill: line.fill ? { target: "origin", above: line.fill } : false,
      borderJoinStyle: "round",
    };
    if (infinite.length === 0) return [drawn];
    return [
      drawn,
      { ...common, borderWidth: 1, data: infinite, showLine: false, pointStyle: "triangle", pointRadius: 4, clip: false as const },
    ];
  });
}

function scalesOf(content: Content): Record<"x" | "y", Partial<ScaleOptionsByType<"linear" | "logarithmic">>> {
  return { x: scaleOf(content.x, true), y: scaleOf(content.y, false) };
}

function scaleOf(axis: Axis, horizontal: boolean): Partial<ScaleOptionsByType<"linear" | "logarithmic">> {
  const colors = theme();
  const scale = {
    type: axis.log ? ("logarithmic" as const) : ("linear" as const),
    min: axis.min,
    max: axis.max,
    title: {
      display: axis.title !== undefined,
      text: axis.title ?? "",
      color: colors.muted,
      font: { size: FONT_SIZE, family: colors.font },
      padding: 2,
    },
    border: { color: colors.border },
    grid: { color: colors.grid, drawTicks: false, display: !horizontal || axis.ticks === undefined },
    ticks: {
      color: colors.muted,
      font: { size: FONT_SIZE, family: colors.font },
      padding: 5,
      maxRotation: 0,
      autoSkip: true,
      autoSkipPadding: horizontal ? 16 : 8,
      includeBounds: false,
      maxTicksLimit: axis.ticks ? axis.ticks.length : horizontal ? 9 : 7,
      callback: (value: number | string) => tickText(axis, Number(value)),
    },
    // Before Chart.js thins them out: it counts those without a label, too.
    afterBuildTicks: (built: { ticks: { value: number }[] }) => {
      if (axis.ticks) built.ticks = axis.ticks.map((value) => ({ value }));
      else if (axis.log) built.ticks = built.ticks.filter(({ value }) => isRound(axis, value));
    },
  };
  return scale as unknown as Partial<ScaleOptionsByType<"linear" | "logarithmic">>;
}
