// `npm test`: installs what is missing, builds, runs every suite (`npm test -- unit host`: those) and counts. The last
// line is `N passed, N failed, N skipped`; the exit code is 1 when anything failed.
import { build } from "./build.mjs";
import { setup } from "./setup.mjs";
import { entry, Failure } from "./shell.mjs";
import { suites } from "./suites.mjs";

const line = ({ passed, failed, skipped }) => `${passed} passed, ${failed} failed, ${skipped} skipped`;

await entry(async () => {
  const names = process.argv.slice(2).length > 0 ? process.argv.slice(2) : Object.keys(suites);
  const unknown = names.filter((name) => !(name in suites));
  if (unknown.length > 0) throw new Failure(`Expected suites of ${Object.keys(suites).join(", ")}; got ${unknown.join(", ")}.`);
  const found = await setup(new Set(names.flatMap((name) => suites[name].parts)));
  await build();
  const rows = [];
  for (const name of names) {
    console.log(`\n==== ${name}`);
    const started = Date.now();
    const count = await suites[name].run(found).catch((error) => {
      console.error(error instanceof Failure ? error.message : error);
      return { passed: 0, failed: 1, skipped: 0, reasons: [] };
    });
    rows.push({ name, ...count, seconds: ((Date.now() - started) / 1000).toFixed(1) });
  }
  console.log("");
  for (const row of rows) {
    console.log(`${row.name.padEnd(8)} ${line(row)}  (${row.seconds} s)`);
    for (const reason of row.reasons) console.log(`         skipped: ${reason}`);
  }
  const sum = (what) => rows.reduce((total, row) => total + row[what], 0);
  const total = { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
  console.log(`\n${line(total)}`);
  if (total.failed > 0) process.exitCode = 1;
});
