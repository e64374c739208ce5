/** Down-sampling keeps what a person must see. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Series } from "../../extension/protocol/series";
import { downsample } from "../../extension/runs/downsample";

const series = (length: number, value: (i: number) => number): Series => ({
  steps: Float64Array.from({ length }, (_, i) => i + 1),
  values: Float64Array.from({ length }, (_, i) => value(i)),
  times: Float64Array.from({ length }, (_, i) => 1e9 + i / 2),
});

describe("downsample", () => {
  it("leaves few points as they are", () => {
    const few = series(200, Math.sin);
    assert.deepEqual(downsample(few, undefined, 100), few);
  });

  it("keeps every single spike, wherever it is and whichever way it goes", () => {
    for (let at = 0; at < 5000; at += 37) {
      for (const spike of [9, -9, Infinity, -Infinity, NaN]) {
        const reduced = downsample(
          series(5000, (i) => (i === at ? spike : Math.sin(i))),
          undefined,
          300,
        );
        assert.ok(reduced.steps.length <= 600, `${reduced.steps.length} points`);
        const index = reduced.values.findIndex((value) => Object.is(value, spike));
        assert.equal(reduced.steps[index], at + 1, `${spike} at ${at}`);
      }
    }
  });

  it("keeps the ends, ascends, and holds only points of the series", () => {
    const full = series(10_000, (i) => Math.sin(i * i));
    const reduced = downsample(full, undefined, 97);
    assert.deepEqual([reduced.steps[0], reduced.steps.at(-1)], [1, 10_000]);
    reduced.steps.forEach((step, i) => {
      assert.ok(i === 0 || step > reduced.steps[i - 1]!);
      assert.equal(reduced.values[i], full.values[step - 1]);
      assert.equal(reduced.times[i], full.times[step - 1]);
    });
  });

  it("shows true data of a range, and one point beyond each end", () => {
    const reduced = downsample(
      series(100_000, (i) => i),
      { from: 501, to: 520 },
      300,
    );
    assert.deepEqual(
      [...reduced.steps],
      Array.from({ length: 22 }, (_, i) => 500 + i),
    );
    const wide = downsample(
      series(100_000, (i) => i),
      { from: 1000, to: 90_000 },
      50,
    );
    assert.ok(wide.steps.length <= 100);
    assert.deepEqual([wide.steps[0], wide.steps.at(-1)], [999, 90_001]);
  });

  it("takes a range of time, too", () => {
    const reduced = downsample(
      series(1000, (i) => i),
      { from: 1e9 + 10, to: 1e9 + 11 },
      300,
      "times",
    );
    assert.deepEqual([...reduced.steps], [20, 21, 22, 23, 24]);
  });

  it("survives series of one step, none, and ranges beside them", () => {
    assert.equal(
      downsample(
        series(0, () => 0),
        undefined,
        10,
      ).steps.length,
      0,
    );
    assert.equal(
      downsample(
        series(1, () => 0),
        { from: 50, to: 60 },
        10,
      ).steps.length,
      1,
    );
    const flat = { steps: new Float64Array(100), values: new Float64Array(100), times: new Float64Array(100) };
    assert.ok(downsample(flat, undefined, 4).steps.length <= 8);
  });

  it("comes to an end within its bound where clocks stand still, go back, or differ by less than can be divided by", () => {
    const clocks: [string, (i: number) => number][] = [
      ["by the smallest number there is", (i) => i * Number.MIN_VALUE],
      ["back and forth", (i) => 1e9 + (i % 2) * 1000],
      ["backwards", (i) => 1e9 - i],
      ["by more than there is", (i) => (i - 500) * 1e306],
      ["once", (i) => (i < 998 ? 0 : 1e-310)],
    ];
    for (const [what, time] of clocks) {
      const full = { ...series(1000, Math.sin), times: Float64Array.from({ length: 1000 }, (_, i) => time(i)) };
      const { steps } = downsample(full, undefined, 20, "times");
      assert.ok(steps.length <= 40, `${what}: ${steps.length} points`);
    }
  });
});
