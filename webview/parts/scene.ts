/** What the charts of a page share: the axis and its visible part, the cursor, the marks, smoothing, and who the runs are. */
import type { Marker } from "../../extension/protocol/panels";
import type { Mark } from "./overlay";
import { slotStyle, theme } from "./theme";

export interface SceneRun {
  name: string;
  slot: number;
}

export interface Span {
  from: number;
  to: number;
}

export class Scene {
  axis: "step" | "time" = "step";
  logX = false;
  smoothing = 0;
  range: Span | null = null;
  cursor: number | null = null;
  /** Largest x of any run. */
  extent = 1;
  runs: SceneRun[] = [];
  markers: Marker[] = [];

  /** `comparing`: colours tell runs apart, not matrices. `redraw`: everything that a chart shows changed; `moved`: the cursor only; `rewatch`: other data is needed. */
  constructor(
    readonly comparing: boolean,
    readonly listener: { redraw(): void; moved(): void; rewatch(): void },
  ) {}

  get bounds(): { min: number; max: number } {
    if (this.range) return { min: this.range.from, max: this.range.to };
    const min = this.logX ? 1 : 0;
    return { min, max: Math.max(this.extent, min + 1) };
  }

  zoom = (range: Span | null): void => {
    this.range = range;
    // It pointed at another place.
    this.cursor = null;
    this.listener.rewatch();
    this.listener.redraw();
  };

  /** A panel came into sight or left it. */
  seen = (): void => {
    this.listener.rewatch();
    this.listener.redraw();
  };

  point = (x: number | null): void => {
    this.cursor = x;
    this.listener.moved();
  };

  marks(): Mark[] {
    const colors = theme();
    return this.markers.map((marker) => ({
      x: this.axis === "step" ? marker.step : marker.time,
      label: marker.label,
      strong: marker.kind === "set",
      color: this.comparing ? slotStyle(colors, this.runs[marker.run]?.slot ?? 0).color : colors.foreground,
    }));
  }

  /** The orders whose line is within `tolerance` of the cursor. */
  marksNearCursor(tolerance: number): Marker[] {
    const { cursor } = this;
    if (cursor === null) return [];
    return this.markers.filter((marker) => Math.abs((this.axis === "step" ? marker.step : marker.time) - cursor) <= tolerance);
  }
}
