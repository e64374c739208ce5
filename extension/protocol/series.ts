/** What is read from a run's log and drawn by a panel. */

/** Parallel arrays in ascending order of step; a restart's later value wins for an overlapping step. */
export interface Series {
  steps: Float64Array;
  values: Float64Array;
  /** Seconds since the epoch. */
  times: Float64Array;
}

export interface Histogram {
  step: number;
  /** bins + 1 edges; the first and last bin are under- and overflow. */
  edges: Float64Array;
  counts: Float64Array;
  min: number;
  max: number;
  count: number;
  sum: number;
  sumSquares: number;
}
