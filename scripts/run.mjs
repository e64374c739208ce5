// Builds what is out of date and runs one of the programs in dist/ with the remaining arguments, for `npm run train`,
// `golden`, `bench` and `generate`.
import { join } from "node:path";
import { build } from "./build.mjs";
import { dist, python } from "./places.mjs";
import { setup } from "./setup.mjs";
import { entry, Failure, passThrough } from "./shell.mjs";

const programs = {
  train: "trainer.js",
  golden: "test/golden/golden.js",
  bench: "test/bench/bench.js",
  generate: "tools/generate.js",
};

await entry(async () => {
  const [name, ...args] = process.argv.slice(2);
  const program = programs[name];
  if (!program) throw new Failure(`Expected one of ${Object.keys(programs).join(", ")}; got ${name ?? "nothing"}.`);
  // The benchmarks' rival.
  if (name === "bench") await setup(["python"]);
  await build();
  // Ctrl-C reaches the whole group: the program decides what it means (the trainer writes a checkpoint first).
  process.on("SIGINT", () => {});
  process.exitCode = await passThrough(
    process.execPath,
    [join(dist, program), ...args],
    name === "bench" ? { env: { MUONSCOPE_PYTHON: python } } : {},
  );
});
