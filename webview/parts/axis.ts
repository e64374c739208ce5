/** The two axes of a drawing: their range, and which values are written on them. */

export interface Axis {
  log: boolean;
  min: number;
  max: number;
  title?: string;
  format: (value: number) => string;
  /** Only these, instead of round numbers. */
  ticks?: number[];
}

/** Decades of a log axis from which its ticks are written as powers of ten. */
const POWERS_FROM = 4;

const decades = (axis: Axis): number => Math.log10(axis.max / axis.min);

/** Worth a tick on a log axis: every decade; in a short one 2 and 5 as well, in a very short one all round numbers. */
export function isRound(axis: Axis, value: number): boolean {
  const mantissa = Number((value / 10 ** Math.floor(Math.log10(value) + 1e-9)).toPrecision(4));
  if (mantissa === 1) return true;
  if (decades(axis) < 0.7) return Number(mantissa.toPrecision(2)) === mantissa;
  return decades(axis) < 3 && (mantissa === 2 || mantissa === 5);
}

export const tickText = (axis: Axis, value: number): string =>
  axis.log && decades(axis) >= POWERS_FROM ? power(value) : axis.format(value);

/** 10⁵ for 1e5. */
const power = (value: number): string =>
  `10${[...String(Math.round(Math.log10(value)))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)] ?? "⁻").join("")}`;

/** Round values within the axis, at most `most` of them unless it is a log axis of many decades. */
export function roundValues(axis: Axis, most: number): number[] {
  const values: number[] = [];
  if (axis.log) {
    for (let decade = Math.floor(Math.log10(axis.min)); decade <= Math.log10(axis.max); decade++)
      for (let mantissa = 1; mantissa < 10; mantissa++) values.push(mantissa * 10 ** decade);
    return values.filter((value) => value >= axis.min && value <= axis.max && isRound(axis, value));
  }
  const rough = (axis.max - axis.min) / most;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * unit).find((size) => size >= rough)!;
  for (let value = Math.ceil(axis.min / step) * step; value <= axis.max; value += step) values.push(value);
  return values;
}

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
