/** Side-by-side timing: two contenders take turns in one run, so that a machine whose speed drifts is fair to both. */

export interface Contender {
  /** Seconds of each of `count` repetitions. */
  run(count: number): Promise<number[]>;
}

export interface Row {
  name: string;
  ours: number;
  theirs: number | null;
  unit: string;
  /** ours ÷ theirs, or `ours` itself where there is nothing beside it. */
  value: number;
  goal: number;
}

export const median = (values: number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] ?? NaN) : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
};

/** Alternates A B A B …; medians over all repetitions. */
export async function compare(name: string, a: Contender, b: Contender, goal: number, turns: number, each: number): Promise<Row> {
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let turn = 0; turn < turns; turn++) {
    ours.push(...(await a.run(each)));
    theirs.push(...(await b.run(each)));
  }
  const [x, y] = [median(ours), median(theirs)];
  return { name, ours: 1e3 * x, theirs: 1e3 * y, unit: "ms", value: x / y, goal };
}

export function print(row: Row): void {
  const number = (x: number): string => x.toPrecision(3);
  const sides = row.theirs === null ? "" : `  ${number(row.ours)} ÷ ${number(row.theirs)} ${row.unit}`;
  const unit = row.theirs === null ? ` ${row.unit}` : "";
  const verdict = row.value <= row.goal ? "ok" : "OVER";
  console.log(`${row.name.padEnd(62)} ${number(row.value).padStart(7)}${unit}  (goal ≤ ${row.goal}) ${verdict}${sides}`);
}
