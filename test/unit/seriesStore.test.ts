/** Columns of numbers: whatever the order in which steps come, the same as a list that is sorted anew each time, and never slow. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SeriesStore } from "../../extension/runs/seriesStore";

/** What a tag holds, as simply as it can be said. */
class Model {
  private rows: [step: number, value: number][] = [];
  private file = 0;
  private from = -Infinity;

  add(file: number, step: number, value: number): void {
    if (file < this.file && step >= this.from) return;
    if (file > this.file) {
      [this.file, this.from] = [file, step];
      this.cut(step);
    }
    this.rows = [...this.rows.filter(([other]) => other !== step), [step, value] as [number, number]].sort(([a], [b]) => a - b);
  }
  cut(step: number): void {
    this.rows = this.rows.filter(([other]) => other < step);
  }
  get all(): [number, number][] {
    return this.rows;
  }
}

/** The same numbers below `most` every time (Numerical Recipes, 7.1: ranqd1). */
function random(seed: number): (most: number) => number {
  return (most) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * most);
  };
}

const scalar = (tag: string, value: number) => ({ tag, shape: "scalar" as const, value });
const rowsOf = (store: SeriesStore, tag: string): [number, number][] => {
  const series = store.series(tag);
  return series ? Array.from(series.steps, (step, i) => [step, series.values[i]!]) : [];
};

describe("series", () => {
  it("hold what a plain list would, and what was shown stays", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const below = random(seed);
      const store = new SeriesStore();
      const models = new Map([
        ["a", new Model()],
        ["b", new Model()],
      ]);
      const shown: { view: Float64Array; copy: number[] }[] = [];
      let step = 0;
      let file = 0;
      for (let n = 0; n < 600; n++) {
        const kind = below(40);
        if (kind === 0) {
          const at = below(step + 2);
          store.supersede(at);
          for (const model of models.values()) model.cut(at);
          step = at;
        } else if (kind === 1) {
          for (const [tag, model] of models) {
            assert.deepEqual(rowsOf(store, tag), model.all, `seed ${seed}, ${n} operations`);
            const view = store.series(tag)?.values ?? new Float64Array();
            shown.push({ view, copy: [...view] });
          }
        } else {
          if (below(100) === 0) file++;
          const tag = below(2) === 0 ? "a" : "b";
          const at = kind < 8 ? below(step + 1) : step++;
          const of = below(10) === 0 ? Math.max(0, file - 1) : file;
          store.add(of, at, 0, scalar(tag, n));
          models.get(tag)!.add(of, at, n);
        }
      }
      for (const { view, copy } of shown) assert.deepEqual([...view], copy, `seed ${seed}: a view changed`);
    }
  });

  it("give a panel what came, or everything anew where something changed that it has seen", () => {
    const store = new SeriesStore();
    const add = (step: number) => store.add(0, step, 0, scalar("a", step));
    [1, 2, 3].forEach(add);
    let { cursor } = store.points("a", undefined)!;
    [4, 5].forEach(add);
    let next = store.points("a", cursor)!;
    assert.deepEqual([next.reset, [...next.added.steps]], [false, [4, 5]]);
    ({ cursor } = next);
    [2.5, 6].forEach(add);
    next = store.points("a", cursor)!;
    assert.deepEqual([next.reset, [...next.added.steps]], [true, [1, 2, 2.5, 3, 4, 5, 6]]);
    ({ cursor } = next);
    store.supersede(5);
    next = store.points("a", cursor)!;
    assert.deepEqual([next.reset, [...next.added.steps]], [true, [1, 2, 2.5, 3, 4]]);
    store.supersede(50);
    assert.equal(store.points("a", next.cursor)!.reset, false, "nothing was superseded");
  });

  const orders: [string, number, (i: number, n: number) => number][] = [
    ["descending", 200_000, (i, n) => n - i],
    ["shuffled", 200_000, (i, n) => (i * 7919) % n],
    ["the same", 200_000, () => 5],
    ["saw-toothed", 200_000, (i) => (i % 1000) - Math.floor(i / 1000)],
    ["ascending, then back by one each time", 200_000, (i) => i - 2 * (i % 2)],
  ];
  for (const [what, n, stepOf] of orders) {
    it(`of ${n} steps, ${what}, take as long as sorting them, and no step is long`, (t) => {
      const store = new SeriesStore();
      const begin = performance.now();
      let longest = 0;
      for (let i = 0; i < n; i += 1000) {
        const slice = performance.now();
        for (let j = i; j < i + 1000; j++) store.add(0, stepOf(j, n), 0, scalar("a", j));
        longest = Math.max(longest, performance.now() - slice);
      }
      const { steps } = store.series("a")!;
      assert.ok(steps.every((step, i) => i === 0 || steps[i - 1]! < step));
      const all = performance.now() - begin;
      t.diagnostic(`${all.toFixed(0)} ms, at most ${longest.toFixed(1)} ms for 1000`);
      // Rows that are moved one by one, 10^10 times, take minutes.
      assert.ok(all < 3000 && longest < 500, `${all} ms, at most ${longest} ms for 1000`);
    });
  }

  it("of very many tags are superseded at once, however often", () => {
    const store = new SeriesStore();
    for (let tag = 0; tag < 20_000; tag++) for (let step = 0; step < 3; step++) store.add(0, step, 0, scalar(`${tag}`, step));
    const begin = performance.now();
    for (let n = 0; n < 100_000; n++) {
      store.add(0, 5 + n, 0, scalar("0", n));
      store.supersede(2 + (n % 3));
    }
    assert.ok(performance.now() - begin < 2000, `${performance.now() - begin} ms`);
    assert.deepEqual([...store.series("19999")!.steps], [0, 1]);
  });

  it("are refused where there are more tags than are read", () => {
    const store = new SeriesStore();
    for (let tag = 0; tag < 30_000; tag++) assert.ok(store.add(0, 1, 0, scalar(`${tag}`, 1)));
    assert.ok(!store.add(0, 1, 0, scalar("another", 1)));
    assert.ok(store.add(0, 2, 0, scalar("7", 1)));
    assert.equal(store.tags("scalar").length, 30_000);
  });
});
