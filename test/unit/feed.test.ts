/** What a page is sent: only news, reduced to its pixels, in arrays of their own. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WatchMessage } from "../../extension/protocol/panels";
import { LOSS_TRAIN } from "../../extension/protocol/tags";
import { SeriesStore } from "../../extension/runs/seriesStore";
import { Feed, smooth, type Source } from "../../extension/ui/feed";

/** A run of `steps` steps as a reader would show it. */
class Log implements Source {
  readonly store = new SeriesStore();
  readonly events = [];
  series = (tag: string) => this.store.series(tag);
  histogramSteps = (tag: string) => this.store.steps(tag);
  histogram = (tag: string, step: number) => this.store.histogram(tag, step);
  vectorSteps = (tag: string) => this.store.steps(tag);
  vector = (tag: string, step: number) => this.store.vector(tag, step);
  tags = (kind?: "scalar" | "histogram" | "vector") => this.store.tags(kind);

  scalar(tag: string, step: number, value: number): void {
    this.store.add(0, step, 1000 + step, { tag, shape: "scalar", value });
  }
  histogram1(tag: string, step: number): void {
    const value = {
      edges: Float64Array.of(0, 1, 2),
      counts: Float64Array.of(step, 1),
      min: 0,
      max: 2,
      count: step + 1,
      sum: 0,
      sumSquares: 0,
    };
    this.store.add(0, step, 1000 + step, { tag, shape: "histogram", value });
  }
  static ofLoss(steps: number, value: (step: number) => number = (step) => 1 / step): Log {
    const log = new Log();
    for (let step = 1; step <= steps; step++) log.scalar(LOSS_TRAIN, step, value(step));
    return log;
  }
}

const watching = (parts: Partial<WatchMessage>): WatchMessage => ({ type: "watch", series: [], snapshots: [], profiles: [], ...parts });
const loss = { panel: "loss", tag: LOSS_TRAIN, axis: "step", range: null, width: 100, smoothing: 0 } as const;

describe("the feed of a page", () => {
  it("sends what is asked for once, and again when it changed", () => {
    const log = Log.ofLoss(5);
    const feed = new Feed(() => [log]);
    assert.equal(feed.collect(), undefined, "nothing is watched");
    feed.watch(watching({ series: [loss] }));
    assert.deepEqual([...feed.collect()!.series[0]!.x], [1, 2, 3, 4, 5]);
    assert.equal(feed.collect(), undefined);
    feed.watch(watching({ series: [loss] }));
    assert.equal(feed.collect(), undefined, "the same wish is not a new one");
    log.scalar(LOSS_TRAIN, 6, 0.1);
    assert.equal(feed.collect()!.series[0]!.x.length, 6);
    feed.watch(watching({ series: [{ ...loss, width: 200 }] }));
    assert.equal(feed.collect()!.series.length, 1, "another width is another wish");
    feed.reset();
    assert.equal(feed.collect()!.series.length, 1, "a page that was gone knows nothing");
  });

  it("sends what there is time for, the rest the next time, and comes to an end where nothing is new", () => {
    const logs = [Log.ofLoss(5), Log.ofLoss(6), Log.ofLoss(7)];
    const feed = new Feed(() => logs);
    feed.watch(watching({ series: [loss] }));
    const spent = () => true;
    const runs: number[] = [];
    const collect = () => runs.push(...(feed.collect(spent)?.series.map(({ run }) => run) ?? [-1]));
    for (let n = 0; n < 2; n++) {
      collect();
      // Though the first one has something new all the time.
      logs[0]!.scalar(LOSS_TRAIN, 10 + n, 1);
    }
    assert.ok(feed.unfinished);
    for (let n = 0; n < 3; n++) collect();
    assert.deepEqual([runs, feed.unfinished], [[0, 1, 2, 0, -1], false]);
  });

  it("waits for a series that is not there yet", () => {
    const log = new Log();
    const feed = new Feed(() => [log]);
    feed.watch(watching({ series: [loss] }));
    assert.equal(feed.collect(), undefined);
    log.scalar(LOSS_TRAIN, 1, 2);
    assert.deepEqual([...feed.collect()!.series[0]!.y], [2]);
  });

  it("keeps a spike among many points, in buffers of exact size", () => {
    const feed = new Feed(() => [Log.ofLoss(50_000, (step) => (step === 33_333 ? 99 : 1))]);
    feed.watch(watching({ series: [{ ...loss, smoothing: 0.9 }] }));
    const [data] = feed.collect()!.series;
    assert.ok(data!.x.length <= 200, `${data!.x.length} points for 100 pixels`);
    assert.equal(data!.y[data!.x.indexOf(33_333)], 99);
    for (const array of [data!.x, data!.y, data!.smooth!.x, data!.smooth!.y]) assert.equal(array.buffer.byteLength, array.byteLength);
  });

  it("places points in time without what came before the run", () => {
    const feed = new Feed(() => [Log.ofLoss(3)]);
    feed.watch(watching({ series: [{ ...loss, axis: "time" }] }));
    assert.deepEqual([...feed.collect()!.series[0]!.x], [0, 1, 2]);
  });

  it("finds the snapshot at or before a step, with the numbers of that step", () => {
    const log = new Log();
    for (const step of [10, 20, 30]) {
      log.histogram1("neuron_norm/update/w", step);
      log.scalar("neuron_norm_cv/update/w", step, step / 100);
      log.scalar("neuron_norm_cv/weight/w", step, -1);
    }
    const feed = new Feed(() => [log]);
    const request = { panel: "snapshot", tag: "neuron_norm/update/w" };
    feed.watch(
      watching({
        snapshots: [
          { ...request, step: 25 },
          { ...request, step: null },
          { ...request, step: 5 },
        ],
      }),
    );
    const [at, latest, before] = feed.collect()!.snapshots;
    assert.deepEqual([at!.value?.step, at!.readings], [20, { cv: 0.2 }]);
    assert.deepEqual([latest!.value?.step, latest!.readings], [30, { cv: 0.3 }]);
    assert.deepEqual([before!.value, before!.readings, [...before!.steps]], [null, {}, [10, 20, 30]]);
  });

  it("tells a channel at every matrix, and where it was measured", () => {
    const log = new Log();
    log.scalar("condition_number/update/a", 10, 5);
    log.scalar("condition_number/update/b", 20, Infinity);
    const feed = new Feed(() => [log]);
    feed.watch(watching({ profiles: [{ panel: "p", channel: "condition_number", tap: "update", step: 15 }] }));
    const [profile] = feed.collect()!.profiles;
    assert.deepEqual(
      [profile!.tensors, [...profile!.values], [...profile!.steps]],
      [
        ["a", "b"],
        [5, NaN],
        [10, 20],
      ],
    );
    assert.equal(feed.collect(), undefined);
  });
});

describe("smoothing", () => {
  it("is a weighted mean of what was seen: no bias towards zero at the start", () => {
    assert.deepEqual(
      [...smooth(Float64Array.of(4, 4, 4), 0.9)].map((value) => Number(value.toFixed(12))),
      [4, 4, 4],
    );
    const [, second] = smooth(Float64Array.of(0, 1), 0.5);
    assert.ok(Math.abs(second! - 2 / 3) < 1e-15, String(second));
  });
  it("passes over what is not finite", () => {
    assert.deepEqual([...smooth(Float64Array.of(NaN, 2, Infinity, 2), 0.5)], [NaN, 2, 2, 2]);
  });
});
