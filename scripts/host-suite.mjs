// The host suite: Mocha inside a real extension host, with the packaged extension installed. A served VS Code takes no
// extensionTestsPath, so the tests are a small extension beside the product that writes its results to a file; a browser
// has to be there, because a served workbench starts its extension host for a page.
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openWorkbench } from "./browser.mjs";
import { pack, testVsix } from "./package.mjs";
import { artifacts, dist, root } from "./places.mjs";
import { startServedVscode } from "./served-vscode.mjs";
import { Failure, print, step } from "./shell.mjs";
import { endRuns, makeHostileWorkspace, makeTestWorkspace } from "./test-workspace.mjs";

const folder = join(root, "build", "test", "host");
/** Milliseconds from one test's result to the next; a test's own limit (test/host/mocha.ts) ends it before. */
const SILENCE_LIMIT_MS = 120_000;
/** Milliseconds in which a workbench is there on a machine that is not busy otherwise; where it takes longer, everything may. */
const OPENING_MS = 4000;

/** The tests as an extension in a folder of its own: a manifest and their bundle. */
export function makeTestExtension(source) {
  mkdirSync(source, { recursive: true });
  const manifest = {
    name: "host-tests",
    publisher: "muonscope-tests",
    version: "0.0.1",
    engines: { vscode: "^1.100.0" },
    main: "main.js",
    activationEvents: ["onStartupFinished"],
    extensionKind: ["workspace"],
    capabilities: { untrustedWorkspaces: { supported: true } },
  };
  writeFileSync(join(source, "package.json"), JSON.stringify(manifest));
  writeFileSync(join(source, ".vscodeignore"), "**\n!package.json\n!main.js\n!main.js.map\n");
  for (const name of ["main.js", "main.js.map"]) copyFileSync(join(dist, "test", "host", name), join(source, name));
}

async function packTests(file) {
  const source = join(folder, "extension");
  makeTestExtension(source);
  await pack(source, file, ["--skip-license"]);
}

/**
 * Waits for the results of a phase, which is one life of the extension host; `reload` is the same window, loaded again. When there are
 * none the screenshot shows what the window looked like. `slowness`: of this machine.
 */
async function resultsOf(phase, page, slowness) {
  const file = join(folder, "results", `${phase}.json`);
  const limit = SILENCE_LIMIT_MS * slowness;
  // It grows with every test.
  const lastWord = () => statSync(`${file}.part`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const begun = Date.now();
  while (!existsSync(file)) {
    if (Date.now() - Math.max(begun, lastWord()) > limit) {
      mkdirSync(artifacts, { recursive: true });
      await page.screenshot({ path: join(artifacts, `host-${phase}.png`) });
      if (existsSync(`${file}.part`)) readResults(phase, `${file}.part`);
      throw new Failure(`The host tests (${phase}) gave no result for ${(limit / 1000).toFixed(0)} s: see artifacts/host-${phase}.png.`);
    }
    await page.waitForTimeout(100);
  }
  return readResults(phase, file);
}

/** Prints the tests of a phase and returns its results: { tests, measured, patience }. */
export function readResults(phase, file) {
  const results = JSON.parse(readFileSync(file, "utf8"));
  for (const { title, state, error, seconds, reason } of results.tests) {
    const remark = reason ?? (seconds && `${seconds.toFixed(2)} s`);
    print(`  ${{ passed: "✔", failed: "✖", pending: "-" }[state]} ${phase}: ${title}${remark ? ` (${remark})` : ""}`);
    if (error) print(error.replace(/^/gm, "      "));
  }
  print(`    what was waited for had ${(results.patience / 1000).toFixed(0)} s`);
  for (const [what, value] of Object.entries(results.measured)) print(`    ${what}: ${value.toFixed(1)}`);
  return results;
}

/** The folders that phases share: the untrusted window reads the runs that the first one left. */
export const testEnvironment = (phases, results, workspace, hostileRuns) => ({
  MUONSCOPE_TEST_PHASES: phases.join(),
  MUONSCOPE_TEST_RESULTS: results,
  MUONSCOPE_TEST_FINISHED_RUNS: join(workspace, ".muonscope", "runs"),
  MUONSCOPE_TEST_HOSTILE_RUNS: hostileRuns,
});

/** Empties the suite's folder and packs what is installed in its windows. */
async function prepare() {
  rmSync(folder, { recursive: true, force: true });
  const empty = join(folder, "empty");
  for (const each of [join(folder, "results"), empty]) mkdirSync(each, { recursive: true });
  const tests = join(folder, "host-tests.vsix");
  const vsix = [await testVsix(), tests];
  await packTests(tests);
  return { vsix, workspace: makeTestWorkspace(join(folder, "workspace")), empty };
}

/** Runs phases in a window, which is loaded again for each after the first. Returns their results. */
async function inWindow({ phases, trusted = true, vsix, open, hostileRuns }) {
  const server = await step("Starting a served VS Code", () =>
    startServedVscode({
      folder: open,
      data: join(folder, `vscode-${phases[0]}`),
      vsix,
      trusted,
      env: testEnvironment(phases, join(folder, "results"), join(folder, "workspace"), hostileRuns),
    }),
  );
  try {
    const { browser, page, milliseconds } = await openWorkbench(server.url);
    const slowness = Math.max(1, milliseconds / OPENING_MS);
    try {
      const results = [];
      for (const phase of phases) {
        if (phase !== phases[0]) await page.reload();
        results.push(await resultsOf(phase, page, slowness));
      }
      return results;
    } finally {
      await browser.close();
    }
  } finally {
    await server.stop();
    await endRuns(open);
  }
}

export function countTests(tests) {
  const by = (state) => tests.filter((test) => test.state === state);
  return {
    passed: by("passed").length,
    failed: by("failed").length,
    skipped: by("pending").length,
    reasons: by("pending").map(({ title, reason }) => `${title}: ${reason}`),
  };
}

export async function runHostSuite() {
  const { vsix, workspace, empty } = await prepare();
  const results = await inWindow({ phases: ["run", "reload"], vsix, open: workspace });
  results.push(...(await inWindow({ phases: ["untrusted"], trusted: false, vsix, open: empty })));
  const hostile = makeHostileWorkspace(join(folder, "hostile"));
  results.push(...(await inWindow({ phases: ["hostile"], trusted: false, vsix, open: hostile.open, hostileRuns: hostile.runs })));
  return countTests(results.flatMap(({ tests }) => tests));
}

/** For `npm run bench`: figures of the extension host, by name; of several starts the median. */
export async function measureEditor() {
  const { vsix, workspace, empty } = await prepare();
  const starts = await inWindow({
    phases: ["activation", "activation-2", "activation-3", "activation-4", "activation-5"],
    vsix,
    open: empty,
  });
  const [memory] = await inWindow({ phases: ["memory"], vsix, open: workspace });
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const names = Object.keys(starts[0].measured);
  return { ...Object.fromEntries(names.map((name) => [name, median(starts.map(({ measured }) => measured[name]))])), ...memory.measured };
}
