// The workspace that the host and ui suites open: a text, run files that are good and one that is not. Made new each time.
import { copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { dist, root } from "./places.mjs";

/** A step takes some milliseconds, and no test waits for the end: it stops its runs. */
const small = {
  backend: "cpu", // the same everywhere, and nothing to choose
  model: { layers: 2, width: 64, heads: 2, context: 64 },
  data: { files: ["text/*.ts"], validationFraction: 0.1 },
  batch: { size: 4 },
  steps: 100_000,
  validation: { every: 50, batches: 1 },
  checkpoints: { every: 500, keep: 2 },
};

const runFiles = {
  "first.muonscope.json": { ...small, optimizer: { preset: "normuon", lr: 0.01 } },
  "second.muonscope.json": { ...small, optimizer: { preset: "muon", lr: 0.02 } },
  // A knob that does not exist, near one that does.
  "wrong.muonscope.json": { ...small, optimizer: { preset: "normuon", normalise: false } },
};

export function makeTestWorkspace(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "text"), { recursive: true });
  const sources = join(root, "extension", "protocol");
  for (const file of readdirSync(sources)) copyFileSync(join(sources, file), join(folder, "text", file));
  for (const [name, content] of Object.entries(runFiles)) writeFileSync(join(folder, name), JSON.stringify(content, null, 2));
  return folder;
}

/** A workspace as nobody should meet it, below `folder`; its runs lie beside it: a test puts them in once it looks. */
export function makeHostileWorkspace(folder) {
  const { makeHostileFolder } = createRequire(import.meta.url)(join(dist, "tools", "hostile.js"));
  rmSync(folder, { recursive: true, force: true });
  const [open, runs] = [join(folder, "workspace"), join(folder, "runs")];
  mkdirSync(open, { recursive: true });
  makeHostileFolder(open);
  renameSync(join(open, ".muonscope", "runs"), runs);
  return { open, runs };
}

/** The objects of a file of JSON lines. A trainer that was killed leaves half a line. */
function wholeLines(file) {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
}

/**
 * Ends the trainers that a failed test left running: they outlive the window that started them. Only those that are still the process
 * which wrote there: its id may have gone to another one.
 */
export async function endRuns(workspace) {
  const { isAlive } = createRequire(import.meta.url)(join(dist, "tools", "processes.js"));
  const runs = join(workspace, ".muonscope", "runs");
  if (!existsSync(runs)) return;
  for (const run of readdirSync(runs)) {
    const file = join(runs, run, "events.jsonl");
    // In a hostile folder there may be anything in its place, a device without end among them.
    if (!lstatSync(file, { throwIfNoEntry: false })?.isFile()) continue;
    for (const event of wholeLines(file)) {
      if (event?.type !== "started" || !(await isAlive(event.pid, event.processStart))) continue;
      process.kill(event.pid, "SIGKILL");
    }
  }
}
