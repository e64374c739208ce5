/** How far an fp32 result is from a float64 one. */

/**
 * ‖(actual − start) − (expected − start)‖ / ‖expected − start‖, Frobenius. Where nothing was to move, the norm of what did.
 * `start` is rounded to fp32 for `actual`, as it was when handed to the engine.
 */
export function relativeError(actual: Float32Array, expected: Float64Array, start: Float64Array): number {
  if (actual.length !== expected.length) return Infinity;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    const moved = actual[i]! - Math.fround(start[i]!);
    const shouldMove = expected[i]! - start[i]!;
    difference += (moved - shouldMove) ** 2;
    norm += shouldMove ** 2;
  }
  return Math.sqrt(norm > 0 ? difference / norm : difference);
}
