/**
 * Lines as rows of colour: many of them stay readable where lines cross each other. On a canvas of our own, because a
 * chart library draws a rectangle an element for each value (peers: 446 ms for 400 × 128 cells, against 0.3 ms as an image).
 */
import { formatNumber } from "../../extension/protocol/format";
import { isRound, roundValues, tickText } from "./axis";
import type { Content, Line } from "./chart";
import { h } from "./dom";
import { drawOverlay, FONT_SIZE, type Area } from "./overlay";
import { listen, type Drag, type Pointed } from "./pointer";
import { blend, theme } from "./theme";

/** Colours between the smallest and the largest value. */
const SHADES = 256;
const BOTTOM = 22;
const RIGHT = 8;
/** Between names of rows. */
const ROW_LABEL_HEIGHT = FONT_SIZE + 2;

export class HeatMap implements Pointed {
  readonly element = document.createElement("div");
  private readonly canvas = document.createElement("canvas");
  private readonly image = document.createElement("canvas");
  private content: Content | undefined;
  private cursor: number | null = null;
  private drag: Drag = null;
  private left = 60;

  constructor(onCursor: (x: number | null) => void, onZoom: (range: { from: number; to: number } | null) => void) {
    this.element.className = "chart";
    this.element.append(this.canvas);
    listen(this.canvas, this, onCursor, onZoom);
    new ResizeObserver(() => this.paint()).observe(this.element);
  }

  get width(): number {
    return Math.max(100, this.element.clientWidth - this.left - RIGHT);
  }

  /** `content.y`: the values that the first and the last colour stand for. */
  draw(content: Content): void {
    this.content = content;
    this.paint();
  }

  setCursor(x: number | null): void {
    if (x === this.cursor) return;
    this.cursor = x;
    this.paint();
  }

  /** Which colour is which value. */
  legend(): HTMLElement {
    const ramp = h("i", { class: "ramp" });
    ramp.style.background = `linear-gradient(90deg, ${shadeStops().join(", ")})`;
    const infinite = h("i", { class: "swatch square" });
    infinite.style.color = infiniteColor();
    const { min, max } = this.content?.y ?? { min: 0, max: 1 };
    return h("span", { class: "reading" }, formatNumber(min, 2), " ", ramp, " ", formatNumber(max, 2), " ", infinite, "∞");
  }

  area(): Area {
    return { left: this.left, right: this.element.clientWidth - RIGHT, top: 2, bottom: this.element.clientHeight - BOTTOM };
  }

  valueAt(pixel: number): number {
    const { left, right } = this.area();
    const share = (pixel - left) / (right - left);
    const { log, min, max } = this.content!.x;
    return log ? min * (max / min) ** share : min + share * (max - min);
  }

  dragged(drag: Drag): void {
    this.drag = drag;
    this.paint();
  }

  private pixelOf(value: number): number {
    const { left, right } = this.area();
    const { log, min, max } = this.content!.x;
    const share = log ? Math.log(value / min) / Math.log(max / min) : (value - min) / (max - min);
    return left + share * (right - left);
  }

  private paint(): void {
    const { clientWidth, clientHeight } = this.element;
    if (!this.content || clientWidth === 0) return;
    const ratio = window.devicePixelRatio;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.canvas.style.width = `${clientWidth}px`;
    this.canvas.style.height = `${clientHeight}px`;
    const context = this.canvas.getContext("2d")!;
    context.scale(ratio, ratio);
    context.font = `${FONT_SIZE}px ${theme().font}`;
    const { lines } = this.content;
    this.left = Math.ceil(Math.max(30, ...lines.map(({ name }) => context.measureText(name).width))) + 8;
    const area = this.area();
    if (lines.length > 0) {
      this.paintRows(lines, Math.max(1, Math.round(area.right - area.left)));
      context.imageSmoothingEnabled = false;
      context.drawImage(this.image, area.left, area.top, area.right - area.left, area.bottom - area.top);
    }
    this.paintAxes(context, area, lines);
    const { cursor, drag } = this;
    drawOverlay(context, area, (x) => this.pixelOf(x), { marks: this.content.marks, cursor, drag });
  }

  /** One pixel a column and a row; a column shows the last value measured up to it. */
  private paintRows(lines: readonly Line[], columns: number): void {
    this.image.width = columns;
    this.image.height = lines.length;
    const context = this.image.getContext("2d")!;
    const pixels = context.createImageData(columns, lines.length);
    const shades = shadesOf();
    const { left } = this.area();
    const { log, min, max } = this.content!.y;
    const scale = (value: number) => (log ? Math.log(value / min) / Math.log(max / min) : (value - min) / (max - min));
    lines.forEach((line, row) => {
      let next = 0;
      for (let column = 0; column < columns; column++) {
        const until = this.valueAt(left + column + 1);
        while (next < line.x.length && line.x[next]! <= until) next++;
        if (next === 0) continue;
        const value = line.y[next - 1]!;
        if (Number.isNaN(value)) continue;
        const shade = value === Infinity ? SHADES : Math.min(SHADES - 1, Math.max(0, Math.floor(scale(value) * SHADES)));
        pixels.data.set(shades.subarray(4 * shade, 4 * shade + 4), 4 * (row * columns + column));
      }
    });
    context.putImageData(pixels, 0, 0);
  }

  private paintAxes(context: CanvasRenderingContext2D, area: Area, lines: readonly Line[]): void {
    const { x } = this.content!;
    context.fillStyle = theme().muted;
    context.textBaseline = "middle";
    context.textAlign = "right";
    const height = (area.bottom - area.top) / (lines.length || 1);
    const every = Math.ceil(ROW_LABEL_HEIGHT / height);
    lines.forEach(({ name }, row) => {
      if (row % every === 0) context.fillText(name, area.left - 5, area.top + (row + 0.5) * height);
    });
    context.textAlign = "center";
    for (const value of roundValues(x, 8)) {
      if (x.log && !isRound(x, value)) continue;
      context.fillText(tickText(x, value), this.pixelOf(value), area.bottom + BOTTOM / 2 + 1);
    }
    context.textAlign = "left";
    context.strokeStyle = theme().border;
    context.strokeRect(area.left + 0.5, area.top + 0.5, area.right - area.left - 1, area.bottom - area.top - 1);
  }
}

/** From paper to ink over the theme's blue, lighter or darker all the way. */
const shadeStops = (): string[] => {
  const { background, foreground, palette } = theme();
  return [blend(background, palette[0]!, 0.12), palette[0]!, foreground];
};

/** Stands out of the shades: not a value among others. */
const infiniteColor = (): string => theme().palette[1]!;

/** RGBA of each shade, and of infinity after them. */
function shadesOf(): Uint8ClampedArray {
  const canvas = document.createElement("canvas");
  canvas.width = SHADES + 1;
  canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  const gradient = context.createLinearGradient(0, 0, SHADES, 0);
  shadeStops().forEach((color, i, all) => gradient.addColorStop(i / (all.length - 1), color));
  context.fillStyle = gradient;
  context.fillRect(0, 0, SHADES, 1);
  context.fillStyle = infiniteColor();
  context.fillRect(SHADES, 0, 1, 1);
  return context.getImageData(0, 0, SHADES + 1, 1).data;
}
