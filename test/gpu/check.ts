/**
 * Everything that needs a GPU, in under ten minutes: `npm run gpu-check`, which puts this bundle and what it needs into one folder.
 *
 *   node check.js [--only devices,native,…] [--seconds N] [--small]
 *
 * One line a result (✔ holds, ✖ does not, – not checked, with the reason), the table of benchmarks, and a count; exits with 1 when
 * anything failed.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { benchmarks } from "./bench";
import { findDevice } from "./devices";
import { memoryOfRun } from "./memory";
import { cutOff, type Part } from "./part";
import { beside, ending, lastLines, run } from "./processes";
import { Report } from "./report";
import { engineTests, goldenCases, nativeTests } from "./suites";
import { trainingRuns } from "./training";

/** Under ten minutes, with what it takes to begin and to end. */
const SECONDS = 560;

type Work = (part: Part) => Promise<void>;

/** In a process of its own, which an error of the device ends without ending the check. */
const separate: Record<string, { limit: number; work: Work }> = {
  memory: { limit: 40, work: memoryOfRun },
  bench: { limit: 420, work: benchmarks },
};

const inFolder =
  (work: (part: Part, folder: string) => Promise<void>): Work =>
  async (part) => {
    const folder = mkdtempSync(join(tmpdir(), "muonscope-gpu-"));
    try {
      await work(part, folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };

const bySeparateProcess =
  (name: string): Work =>
  async (part) => {
    const limit = part.left();
    const args = [__filename, "--within", name, "--seconds", String(Math.max(1, limit - 2)), ...(part.small ? ["--small"] : [])];
    const ended = await run(process.execPath, args, { limit, onLine: (line) => part.report.relay(line) });
    // Figures are worth having and no verdict: what they did not come to is not checked.
    if (ended.late && name === "bench") part.report.skip(name, `not measured to its end: ${limit.toFixed(0)} s were left`);
    else if (ended.late) cutOff(part, name, limit);
    else if (ended.code !== 0) part.report.fail(name, `ended with ${ending(ended)}\n${lastLines(ended.output, 12)}`);
  };

/** In this order; what is less likely to hold comes first. */
const parts: Record<string, { limit: number; work: Work }> = {
  native: { limit: 150, work: nativeTests },
  golden: { limit: 45, work: goldenCases },
  engine: { limit: 60, work: engineTests },
  training: { limit: 75, work: inFolder(trainingRuns) },
  memory: { limit: separate["memory"]!.limit, work: bySeparateProcess("memory") },
  bench: { limit: separate["bench"]!.limit, work: bySeparateProcess("bench") },
};

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { only: { type: "string" }, seconds: { type: "string" }, small: { type: "boolean" }, within: { type: "string" } },
  });
  const seconds = Number(values.seconds ?? SECONDS);
  if (!(seconds > 0)) throw new Error(`--seconds: expected a positive number, received ${values.seconds}`);
  const left = (): number => seconds - performance.now() / 1e3;
  const report = new Report();
  const small = values.small ?? false;
  if (values.within !== undefined) {
    const work = separate[values.within]?.work;
    if (!work) throw new Error(`--within: expected ${Object.keys(separate).join(" or ")}, received ${values.within}`);
    await work({ report, small, limit: seconds, left });
    return 0;
  }
  const names = values.only?.split(",") ?? Object.keys(parts);
  const unknown = names.filter((name) => !(name in parts));
  if (unknown.length > 0) throw new Error(`--only: expected some of ${Object.keys(parts).join(", ")}; received ${unknown.join(", ")}`);
  const commit = beside("commit.txt");
  console.log(`commit ${existsSync(commit) ? readFileSync(commit, "utf8").trim() : "unknown"}, node ${process.version}`);
  if (await findDevice(report))
    for (const name of names) {
      const { limit, work } = parts[name]!;
      const until = Math.min(seconds, performance.now() / 1e3 + limit);
      if (left() < 5) {
        report.skip(name, "not checked: no time was left");
        continue;
      }
      const began = performance.now();
      await work({ report, small, limit, left: () => until - performance.now() / 1e3 }).catch((error: Error) =>
        report.fail(name, error.stack ?? error.message),
      );
      console.log(`  (${name}: ${((performance.now() - began) / 1e3).toFixed(0)} s)`);
    }
  console.log(`\n${report}`);
  return report.succeeded ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(error.message);
    process.exit(2);
  },
);
