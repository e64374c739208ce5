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
import { drawOverlay, FONT_SIZE, type Mark } from "./overlay";
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

export interface Axis {
  log: boolean;
  min: number;
  max: number;
  title?: string;
  format: (value: number) => string;
  /** Only these, instead of round numbers. */
  ticks?: number[];
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

/** Decades of a log axis from which its ticks are written as powers of ten. */
const POWERS_FROM = 4;
/** Pixels that a drag must cover to mean a zoom and not a click. */
const DRAG_MINIMUM = 6;

export class LineChart {
  readonly element = document.createElement("div");
  private readonly canvas = document.createElement("canvas");
  private chart: Chart<"line", Point[]> | undefined;
  private kind = "";
  private content: Content | undefined;
  private cursor: number | null = null;
  private drag: { from: number; to: number } | null = null;

  /** `onCursor`: the pointer is over x, or left. `onZoom`: a range was dragged; null = show all again. */
  constructor(
    private readonly onCursor: (x: number | null) => void,
    private readonly onZoom: (range: { from: number; to: number } | null) => void,
  ) {
    this.element.className = "chart";
    this.element.append(this.canvas);
    this.listen();
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

  private listen(): void {
    const place = (event: PointerEvent): number | null => {
      const area = this.chart?.chartArea;
      if (!area) return null;
      const x = event.clientX - this.canvas.getBoundingClientRect().left;
      return Math.min(area.right, Math.max(area.left, x));
    };
    const valueAt = (pixel: number): number => this.chart!.scales["x"]!.getValueForPixel(pixel) ?? 0;
    this.canvas.addEventListener("pointermove", (event) => {
      const x = place(event);
      if (x === null) return;
      if (this.drag) {
        this.drag.to = x;
        this.chart?.draw();
      }
      this.onCursor(valueAt(x));
    });
    this.canvas.addEventListener("pointerleave", () => this.onCursor(null));
    this.canvas.addEventListener("pointerdown", (event) => {
      const x = place(event);
      if (x === null || event.button !== 0) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.drag = { from: x, to: x };
    });
    this.canvas.addEventListener("pointerup", () => {
      const drag = this.drag;
      this.drag = null;
      this.chart?.draw();
      if (!drag || Math.abs(drag.to - drag.from) < DRAG_MINIMUM) return;
      this.onZoom({ from: valueAt(Math.min(drag.from, drag.to)), to: valueAt(Math.max(drag.from, drag.to)) });
    });
    this.canvas.addEventListener("dblclick", () => this.onZoom(null));
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
  const decades = axis.log ? Math.log10(axis.max / axis.min) : 0;
  // On a log axis: every decade; in a short one 2 and 5 as well, in a very short one all round numbers.
  const shown = (value: number): boolean => {
    const mantissa = Number((value / 10 ** Math.floor(Math.log10(value) + 1e-9)).toPrecision(4));
    return (
      mantissa === 1 ||
      (decades < 3 && (mantissa === 2 || mantissa === 5)) ||
      (decades < 0.7 && Number(mantissa.toPrecision(2)) === mantissa)
    );
  };
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
      callback: (value: number | string) => {
        return decades >= POWERS_FROM ? power(Number(value)) : axis.format(Number(value));
      },
    },
    // Before Chart.js thins them out: it counts those without a label, too.
    afterBuildTicks: (built: { ticks: { value: number }[] }) => {
      if (axis.ticks) built.ticks = axis.ticks.map((value) => ({ value }));
      else if (axis.log) built.ticks = built.ticks.filter(({ value }) => shown(value));
    },
  };
  return scale as unknown as Partial<ScaleOptionsByType<"linear" | "logarithmic">>;
}

/** 10⁵ for 1e5. */
const power = (value: number): string =>
  `10${[...String(Math.round(Math.log10(value)))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)] ?? "⁻").join("")}`;

/** The smallest axis that holds all finite values, with a little air. */
export function fit(lines: Iterable<ArrayLike<number>>, log: boolean): { min: number; max: number } {
  let [min, max] = [Infinity, -Infinity];
  for (const values of lines) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (!Number.isFinite(value) || (log && value <= 0)) continue;
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  if (min > max) return log ? { min: 1, max: 10 } : { min: 0, max: 1 };
  if (log) {
    const air = Math.max(1.05, (max / min) ** 0.06);
    return { min: min / air, max: max * air };
  }
  const air = (max - min) * 0.06 || Math.abs(max) * 0.05 || 1;
  return { min: min - air, max: max + air };
}
