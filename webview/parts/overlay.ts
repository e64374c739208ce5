/** What is drawn above the lines of a chart: marks with their labels, the cursor, and the range that is being dragged. */
import { mix, theme } from "./theme";

export interface Mark {
  x: number;
  label: string;
  color: string;
  /** A labelled full line; else a quiet, dotted one. */
  strong: boolean;
}

/** Pixels. */
export interface Area {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Overlay {
  marks: readonly Mark[];
  cursor: number | null;
  /** Pixels. */
  drag: { from: number; to: number } | null;
}

export const FONT_SIZE = 11;
/** Pixels of plot for each row of labels, so that they never cover it. */
const HEIGHT_PER_LABEL_ROW = 60;

/** `pixelOf`: where a value of the horizontal axis is. */
export function drawOverlay(context: CanvasRenderingContext2D, area: Area, pixelOf: (x: number) => number, overlay: Overlay): void {
  const colors = theme();
  // In the middle of a pixel a line of one pixel is sharp.
  const place = (x: number) => Math.round(pixelOf(x)) + 0.5;
  const inside = (x: number) => x >= area.left - 1 && x <= area.right + 1;
  context.save();
  const marks = overlay.marks.map((mark) => ({ ...mark, at: place(mark.x) })).filter(({ at }) => inside(at));
  for (const mark of marks) {
    context.setLineDash(mark.strong ? [] : [2, 3]);
    verticalLine(context, area, mark.at, mark.strong ? mark.color : mix(mark.color, 0.6));
  }
  context.setLineDash([]);
  drawLabels(
    context,
    area,
    marks.filter(({ strong }) => strong),
  );
  if (overlay.cursor !== null && inside(place(overlay.cursor)))
    verticalLine(context, area, place(overlay.cursor), mix(colors.foreground, 0.7));
  if (overlay.drag) {
    context.fillStyle = mix(colors.palette[0]!, 0.2);
    context.fillRect(overlay.drag.from, area.top, overlay.drag.to - overlay.drag.from, area.bottom - area.top);
  }
  context.restore();
}

function verticalLine(context: CanvasRenderingContext2D, area: Area, x: number, color: string): void {
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x, area.top);
  context.lineTo(x, area.bottom);
  context.stroke();
}

/** Each stands right of its line, or left where there is no room; a row lower when it would meet its neighbour. */
function drawLabels(context: CanvasRenderingContext2D, area: Area, marks: readonly (Mark & { at: number })[]): void {
  const colors = theme();
  const rows = Math.max(1, Math.floor((area.bottom - area.top) / HEIGHT_PER_LABEL_ROW));
  const rowEnds: number[] = [];
  context.font = `${FONT_SIZE}px ${colors.font}`;
  context.textBaseline = "middle";
  for (const { at, label, color } of marks) {
    const width = context.measureText(label).width + 6;
    const left = at + 2 + width > area.right ? at - 2 - width : at + 2;
    let row = 0;
    while (row < rows && (rowEnds[row] ?? -Infinity) > left) row++;
    // No room: the line alone, and its words where the cursor is near.
    if (row === rows) continue;
    rowEnds[row] = left + width + 2;
    const top = area.top + 2 + row * (FONT_SIZE + 6);
    context.fillStyle = mix(colors.background, 0.85);
    context.fillRect(left, top, width, FONT_SIZE + 4);
    context.fillStyle = color;
    context.fillText(label, left + 3, top + (FONT_SIZE + 4) / 2);
  }
}
