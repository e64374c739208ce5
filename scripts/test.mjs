// `npm test`: installs what is missing, builds, runs every suite (`npm test -- unit host`: those) and counts. The last
// line is `N passed, N failed, N skipped`; the exit code is 1 when anything failed.
import { build } from "./build.mjs";
import { install, setup } from "./setup.mjs";
import { apart, entry, Failure, print, step } from "./shell.mjs";
import { suites, sumOf } from "./suites.mjs";

const line = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;

/** Of what computes beside suites that time what they wait for: they come first whenever they have something to do. */
const LEAST_PRIORITY = 19;

async function runSuite(name, installing) {
  print(`\n==== ${name}`);
  const started = Date.now();
  const count = await suites[name].run(installing).catch((error) => {
    print(error instanceof Failure ? error.message : error.stack);
    return { passed: 0, failed: 1, skipped: 0, reasons: [] };
  });
  return { name, ...count, seconds: (Date.now() - started) / 1000 };
}

/** One after the other. With others `beside`, each suite's output comes in one piece at its end. */
async function runLane(names, installing, beside, niceness) {
  const rows = [];
  for (const name of names)
    rows.push(beside ? await step(name, () => apart(() => runSuite(name, installing), { niceness })) : await runSuite(name, installing));
  return rows;
}

await entry(async () => {
  const names = process.argv.slice(2).length > 0 ? process.argv.slice(2) : Object.keys(suites);
  const unknown = names.filter((name) => !(name in suites));
  if (unknown.length > 0) throw new Failure(`Expected suites of ${Object.keys(suites).join(", ")}; got ${unknown.join(", ")}.`);
  const parts = new Set(names.flatMap((name) => suites[name].parts));
  await setup(parts);
  const installing = install(parts);
  await build();
  const waiting = names.filter((name) => !suites[name].computes);
  const computing = names.filter((name) => suites[name].computes);
  const beside = computing.length + Math.min(waiting.length, 1) > 1;
  const lanes = [runLane(waiting, installing, beside, 0), ...computing.map((name) => runLane([name], installing, beside, LEAST_PRIORITY))];
  const rows = (await Promise.all(lanes)).flat().sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  console.log("");
  for (const row of rows) {
    console.log(`${row.name.padEnd(8)} ${line(row)}  (${row.seconds.toFixed(1)} s)`);
    for (const reason of row.reasons) console.log(`         skipped: ${reason}`);
  }
  const total = sumOf(rows);
  console.log(`\n${line(total)}`);
  if (total.failed > 0) process.exitCode = 1;
});
