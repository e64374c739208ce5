/** A histogram or a vector as lines, words and numbers. */
import { formatCount, formatNumber } from "../../extension/protocol/format";
import type { SnapshotData } from "../../extension/protocol/panels";
import { h } from "./dom";

/** One of the things that a panel shows: a tap, or a run. */
export interface Shown {
  key: string;
  name: string;
  color: string;
  dash: number[];
  data: SnapshotData;
}

/** What goes into a normalisation and what is applied after it; else the first and the last tap there are. */
export function beforeAndAfter(taps: string[]): string[] {
  const before = taps.includes("orthogonalized") ? "orthogonalized" : taps[0];
  const after = ["normalized", "update"].find((tap) => taps.includes(tap)) ?? taps.at(-1);
  return [...new Set([before, after].filter((tap) => tap !== undefined))];
}

export function range(lists: ArrayLike<number>[]): { min: number; max: number } {
  let [min, max] = [Infinity, -Infinity];
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      min = Math.min(min, list[i]!);
      max = Math.max(max, list[i]!);
    }
  }
  return min < max ? { min, max } : { min: 0, max: 1 };
}

/** A histogram as a staircase of shares (an infinite outer bin is drawn as wide as its neighbour), a vector as it is. */
export function outline({ value }: SnapshotData): { x: number[]; y: number[] } {
  if (!value) return { x: [], y: [] };
  if (value.shape === "vector") return { x: Array.from(value.values, (_, i) => i), y: [...value.values] };
  const x = [...value.edges];
  const last = x.length - 1;
  if (!Number.isFinite(x[0])) x[0] = 2 * x[1]! - x[2]!;
  if (!Number.isFinite(x[last])) x[last] = 2 * x[last - 1]! - x[last - 2]!;
  const shares = Array.from(value.counts, (count) => count / (value.count || 1));
  return { x: [x[0]!, ...x], y: [0, ...shares, 0] };
}

export function inWords({ value, readings }: SnapshotData): string {
  if (!value) return "not measured";
  const numbers = Object.entries(readings).map(([name, number]) => `${name} ${formatNumber(number, 3)}`);
  return `step ${value.step}${numbers.length > 0 ? `, ${numbers.join(", ")}` : ""}`;
}

/** One row a tap or run, one column a number. */
export function numbersTable(shown: Shown[]): HTMLElement {
  const names = [...new Set(shown.flatMap(({ data }) => Object.keys(data.readings)))];
  // As statistics are written: CV, max/min, p50.
  const title = (name: string) => (/^[a-z]{2,3}$/.test(name) ? name.toUpperCase() : name.replaceAll("_", "/"));
  const head = ["step", "n", ...names.map(title)].map((name) => h("th", { scope: "col" }, name));
  const rows = shown.map(({ name, color, data: { value, readings } }) => {
    const swatch = h("i", { class: "swatch" });
    swatch.style.color = color;
    const count = value?.shape === "histogram" ? value.count : value?.values.length;
    const numbers = [
      value && formatCount(value.step),
      count !== undefined && formatCount(count),
      ...names.map((key) => formatNumber(readings[key], 3)),
    ];
    return h("tr", {}, h("th", { scope: "row" }, swatch, name), ...numbers.map((text) => h("td", {}, text || "–")));
  });
  return h("table", {}, h("thead", {}, h("tr", {}, h("th"), ...head)), h("tbody", {}, ...rows));
}
