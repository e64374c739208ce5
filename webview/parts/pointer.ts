/** The pointer over a drawing: moves the cursor, and a drag chooses a range. */
import type { Area } from "./overlay";

/** Pixels. */
export type Drag = { from: number; to: number } | null;

/** What a drawing must tell. */
export interface Pointed {
  /** Undefined: not drawn yet. */
  area(): Area | undefined;
  /** Value of the horizontal axis at a pixel. */
  valueAt(pixel: number): number;
  /** Shows, or no longer shows, the range being dragged. */
  dragged(drag: Drag): void;
}

/** Pixels that a drag must cover to mean a zoom and not a click. */
const DRAG_MINIMUM = 6;

/** `onCursor`: the pointer is over x, or left. `onZoom`: a range was dragged; null = show all again. */
export function listen(
  canvas: HTMLCanvasElement,
  pointed: Pointed,
  onCursor: (x: number | null) => void,
  onZoom: (range: { from: number; to: number } | null) => void,
): void {
  let drag: Drag = null;
  const place = (event: PointerEvent): number | null => {
    const area = pointed.area();
    if (!area) return null;
    const x = event.clientX - canvas.getBoundingClientRect().left;
    return Math.min(area.right, Math.max(area.left, x));
  };
  canvas.addEventListener("pointermove", (event) => {
    const x = place(event);
    if (x === null) return;
    if (drag) {
      drag = { ...drag, to: x };
      pointed.dragged(drag);
    }
    onCursor(pointed.valueAt(x));
  });
  canvas.addEventListener("pointerleave", () => onCursor(null));
  canvas.addEventListener("pointerdown", (event) => {
    const x = place(event);
    if (x === null || event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    drag = { from: x, to: x };
  });
  canvas.addEventListener("pointerup", () => {
    const ended = drag;
    drag = null;
    pointed.dragged(null);
    if (!ended || Math.abs(ended.to - ended.from) < DRAG_MINIMUM) return;
    onZoom({ from: pointed.valueAt(Math.min(ended.from, ended.to)), to: pointed.valueAt(Math.max(ended.from, ended.to)) });
  });
  canvas.addEventListener("dblclick", () => onZoom(null));
}
