/** Reduces a series to what a chart of a given width can show, without losing a spike. */
import type { Series } from "../protocol/series";

export interface Range {
  from: number;
  to: number;
}

/** Index of the first element that is ≥ x, in ascending values. */
export function lowerBound(values: ArrayLike<number>, x: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

// NaN ranks above +Infinity: a bucket that holds one shows it.
const above = (a: number, b: number): boolean => (Number.isNaN(a) ? !Number.isNaN(b) : a > b);

/**
 * At most 2 × width points of the series within `range` (all of it when undefined), along `axis`: as they are when
 * they fit, else the first, the last, and the smallest and largest of each bucket between, in order. Infinite and NaN
 * values are kept as such. One point beyond each end of the range is kept too, within the same bound, so that a line
 * enters and leaves the chart where it should.
 */
export function downsample(series: Series, range: Range | undefined, width: number, axis: "steps" | "times" = "steps"): Series {
  const x = series[axis];
  const begin = range ? Math.max(0, lowerBound(x, range.from) - 1) : 0;
  const last = range ? lowerBound(x, range.to) : x.length;
  const end = Math.min(x.length, last + (range && x[last] === range.to ? 2 : 1));
  const pixels = Math.max(2, Math.floor(width));
  if (end - begin <= 2 * pixels)
    return pick(
      series,
      Array.from({ length: end - begin }, (_, i) => begin + i),
    );

  const kept: number[] = [begin];
  const left = x[begin + 1]!;
  // Two of the 2 × width points are the ends; each bucket yields at most two.
  const perUnit = (pixels - 1) / (x[end - 2]! - left || 1);
  /** Never less than the one before, wherever a clock was set back; the first where a distance is too small to divide by. */
  const bucketOf = (i: number, before: number): number => Math.max(before, Math.min(pixels - 2, Math.floor((x[i]! - left) * perUnit) || 0));
  let i = begin + 1;
  for (let bucket = 0; i < end - 1;) {
    let low = i;
    let high = i;
    bucket = bucketOf(i, bucket);
    for (; i < end - 1 && bucketOf(i, bucket) === bucket; i++) {
      if (above(series.values[low]!, series.values[i]!)) low = i;
      if (above(series.values[i]!, series.values[high]!)) high = i;
    }
    kept.push(Math.min(low, high));
    if (low !== high) kept.push(Math.max(low, high));
  }
  kept.push(end - 1);
  return pick(series, kept);
}

function pick(series: Series, indices: number[]): Series {
  const take = (from: Float64Array): Float64Array => Float64Array.from(indices, (i) => from[i]!);
  return { steps: take(series.steps), values: take(series.values), times: take(series.times) };
}
