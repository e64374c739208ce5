// Builds what is out of date and runs one of the programs in dist/ with the remaining arguments, for `npm run train`,
// `golden`, `bench` and `generate`.
import { join } from "node:path";
import { build } from "./build.mjs";
import { measureEditor } from "./host-suite.mjs";
import { dist, python } from "./places.mjs";
import { install, setup } from "./setup.mjs";
import { entry, Failure, passThrough } from "./shell.mjs";

const programs = {
  train: "trainer.js",
  golden: "test/golden/golden.js",
  bench: "test/bench/bench.js",
  generate: "tools/generate.js",
};

/** Milliseconds. */
const ACTIVATION_GOAL = 100;

await entry(async () => {
  const [name, ...args] = process.argv.slice(2);
  const program = programs[name];
  if (!program) throw new Failure(`Expected one of ${Object.keys(programs).join(", ")}; got ${name ?? "nothing"}.`);
  const wantsEditor = name === "bench" && (args.length === 0 || args.includes("editor"));
  // The benchmarks' rival, and the window that the editor's figures are taken in.
  const parts = name === "bench" ? ["python", ...(wantsEditor ? ["browser", "vscode"] : [])] : [];
  await setup(parts);
  const installing = install(parts);
  await Promise.all([build(), installing.vscode, installing.python]);
  // Ctrl-C reaches the whole group: the program decides what it means (the trainer writes a checkpoint first).
  process.on("SIGINT", () => {});
  process.exitCode = await passThrough(
    process.execPath,
    [join(dist, program), ...args],
    name === "bench" ? { env: { MUONSCOPE_PYTHON: python } } : {},
  );
  if (wantsEditor) await printEditor();
});

async function printEditor() {
  const figures = await measureEditor();
  for (const [what, value] of Object.entries(figures)) {
    const goal = what.startsWith("activation") ? `  (goal ≤ ${ACTIVATION_GOAL}) ${value <= ACTIVATION_GOAL ? "ok" : "OVER"}` : "";
    console.log(`${what.padEnd(62)} ${value.toPrecision(3).padStart(7)}${goal}`);
  }
}
