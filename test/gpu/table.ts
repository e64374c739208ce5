/** The table of a GPU's figures, as docs/benchmarks.md has it: ratios first, each measured side by side. */
import { type Contender, median } from "../bench/measure";
import { count } from "./report";

/** Of every contender, in turns: medians of each in seconds. */
export async function alternate(contenders: readonly Contender[], turns: number, each: number): Promise<number[]> {
  const seconds = contenders.map((): number[] => []);
  for (let turn = 0; turn < turns; turn++)
    for (const [index, contender] of contenders.entries()) seconds[index]!.push(...(await contender.run(each)));
  return seconds.map(median);
}

export class Table {
  private readonly missing: string[] = [];

  constructor(head: string) {
    console.log(`\n### ${head}\n\n| measure | ratio | goal | ours ÷ theirs, median |\n|---|---|---|---|`);
  }

  /** `goal`: "≥ 0.95". */
  ratio(measure: string, ours: number, theirs: number, goal: string, unit: "ms" | "tokens/s" | "bytes"): void {
    const show = (value: number): string => {
      if (unit === "ms") return (1e3 * value).toPrecision(3);
      return count(Math.round(value));
    };
    console.log(`| ${measure} | ${(ours / theirs).toFixed(3)} | ${goal} | ${show(ours)} ÷ ${show(theirs)} ${unit} |`);
  }

  /** With nothing beside it. */
  figure(measure: string, figure: string): void {
    console.log(`| ${measure} | | | ${figure} |`);
  }

  skip(measure: string, reason: string): void {
    this.missing.push(`– ${measure}: ${reason}`);
  }

  /** Rows that were not measured do not interrupt the table. */
  end(): void {
    console.log("");
    for (const line of this.missing) console.log(line);
  }
}
