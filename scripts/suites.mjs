// The test suites: how each is run and its results counted. A suite takes what is being installed (install() of setup.mjs) and returns
// { passed, failed, skipped, reasons }, `reasons` saying why something was skipped.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { buildTests, nativeFolder } from "./build-native.mjs";
import { runCudaSuite } from "./cuda-suite.mjs";
import { runHostSuite } from "./host-suite.mjs";
import { dist, findProgram, python, root } from "./places.mjs";
import { apart, capture, Failure, print } from "./shell.mjs";
import { runUiSuite } from "./ui-suite.mjs";

/** Test files bundled for `node --test`, in dist/test or where they were copied to. `env` is added to theirs. */
export async function nodeTests(folder, env = {}, place = join(dist, "test", folder)) {
  const files = readdirSync(place)
    .filter((file) => file.endsWith(".test.js"))
    .sort();
  if (files.length === 0) throw new Failure(`${place} holds no *.test.js: a suite without tests proves nothing.`);
  const results = join(root, "build", "test", `${folder}.json`);
  mkdirSync(join(root, "build", "test"), { recursive: true });
  rmSync(results, { force: true });
  const reporters = ["--test-reporter=spec", "--test-reporter-destination=stdout"];
  reporters.push(`--test-reporter=${join(root, "scripts", "count-reporter.mjs")}`, `--test-reporter-destination=${results}`);
  const args = ["--enable-source-maps", "--test", "--test-concurrency=1", ...reporters, ...files.map((file) => join(place, file))];
  const { code } = await capture(process.execPath, args, { env, onLine: print, allowFailure: true });
  if (!existsSync(results)) throw new Failure(`node --test (${folder}) ended with exit code ${code} and counted nothing.`);
  const count = JSON.parse(readFileSync(results, "utf8"));
  // An error outside of any test (while a file loads, or after its tests) shows in the exit code alone.
  if (code !== 0 && count.failed === 0) count.failed = 1;
  return count;
}

/** The type check counts as a test. */
async function unit() {
  const { code, output } = await capture(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", root], {
    allowFailure: true,
  });
  print(code === 0 ? "✔ type check" : `${output.trim()}\n✖ type check`);
  const count = await nodeTests("unit");
  return { ...count, passed: count.passed + (code === 0 ? 1 : 0), failed: count.failed + (code === 0 ? 0 : 1) };
}

/** As it ships, and under AddressSanitizer and UndefinedBehaviorSanitizer: one's compilers beside the other's tests. */
async function native() {
  return sumOf(await Promise.all([false, true].map((sanitize) => apart(() => nativeTests(sanitize)))));
}

/** In as many processes as there are cores: most tests keep one busy. */
async function nativeTests(sanitize) {
  const program = await buildTests({ sanitize });
  print(sanitize ? "-- with AddressSanitizer and UndefinedBehaviorSanitizer" : "-- as it ships");
  const parts = availableParallelism();
  const counts = await Promise.all(Array.from({ length: parts }, (_, part) => apart(() => nativePart(program, part, parts))));
  return sumOf(sanitize ? [...counts, await hostileCalls()] : counts);
}

async function nativePart(program, part, parts) {
  const { code, output } = await capture(program, ["", `${part}`, `${parts}`], { onLine: print, allowFailure: true });
  const [, passed, failed] = /^(\d+) passed, (\d+) failed$/m.exec(output) ?? [];
  // A crash or a sanitizer's finding ends the program before it can count.
  if (passed === undefined) return { passed: 0, failed: 1, skipped: 0, reasons: [] };
  return { passed: Number(passed), failed: Number(failed) || (code === 0 ? 0 : 1), skipped: 0, reasons: [] };
}

/** Of counts: of parts of a suite, or of suites. */
export const sumOf = (counts) => ({
  passed: counts.reduce((sum, { passed }) => sum + passed, 0),
  failed: counts.reduce((sum, { failed }) => sum + failed, 0),
  skipped: counts.reduce((sum, { skipped }) => sum + skipped, 0),
  reasons: counts.flatMap(({ reasons }) => reasons),
});

/** Those of the unit suite, once more, on the addon under sanitizers: a bundle takes the addon that lies above it. */
async function hostileCalls() {
  if (process.platform !== "linux")
    return { passed: 0, failed: 0, skipped: 1, reasons: ["a sanitizer is loaded before node, with LD_PRELOAD, on Linux alone"] };
  const name = "hostileCalls.test.js";
  const place = join(nativeFolder(true), "calls");
  mkdirSync(place, { recursive: true });
  copyFileSync(join(dist, "test", "unit", name), join(place, name));
  const compiler = findProgram(process.env.CXX || "c++", "g++");
  const { output } = await capture(compiler, ["-print-file-name=libasan.so"]);
  const library = output.trim();
  // A compiler that has none repeats the name.
  if (!existsSync(library))
    return {
      passed: 0,
      failed: 0,
      skipped: 1,
      reasons: [`${compiler} has no libasan.so to load before node: hostile calls not sanitized`],
    };
  // Node itself lets go of nothing at its end.
  return nodeTests("hostile-calls", { LD_PRELOAD: library, ASAN_OPTIONS: "detect_leaks=0" }, place);
}

/**
 * Every trajectory of a golden file (the one named by MUONSCOPE_GOLDEN, or the one beside the checkout) on every backend there is,
 * or on the one with this id.
 */
async function goldenCases(program, env, backend) {
  const file = resolve(root, process.env.MUONSCOPE_GOLDEN || join("..", "shared", "golden", "trajectories.safetensors"));
  if (!existsSync(file))
    return { passed: 0, failed: 0, skipped: 1, reasons: [`there is no ${file}; MUONSCOPE_GOLDEN names another file of trajectories`] };
  const args = backend ? [program, file, backend] : [program, file];
  const { code, output } = await capture(process.execPath, args, { env, onLine: print, allowFailure: true });
  // "BACKEND CASE ERROR [v ERROR]"; the program alone judges, and its exit code is the sum of it.
  const cases = output.match(/^(?!worst )\w+ +\S+ +(?:\d\.\d+e[-+]\d+|NaN|Infinity)/gm) ?? [];
  const reasons = output.match(/^\w+: skipped, .*$/gm) ?? [];
  const failed = code === 0 && cases.length > 0 ? 0 : 1;
  return { passed: cases.length - Math.min(failed, cases.length), failed, skipped: reasons.length, reasons };
}

/** Comparisons with PyTorch and TensorBoard. */
async function pythonTests(installing) {
  const noPython = await installing.python;
  const program = noPython ? findProgram("python3") : python;
  if (!program) return { passed: 0, failed: 0, skipped: 1, reasons: [noPython] };
  const args = ["-m", "unittest", "discover", "--start-directory", join("test", "python"), "--verbose"];
  // The tests start `node`: this one.
  const { code, output } = await capture(program, args, { onLine: print, allowFailure: true });
  const ran = Number(/^Ran (\d+) tests?/m.exec(output)?.[1] ?? 0);
  const number = (what) => Number(new RegExp(`^(?:OK|FAILED) \\(.*\\b${what}=(\\d+)`, "m").exec(output)?.[1] ?? 0);
  const skipped = number("skipped");
  const failed = number("failures") + number("errors") || (code === 0 ? 0 : 1);
  const reasons = [...new Set([...output.matchAll(/ \.\.\. skipped ['"](.*)['"]$/gm)].map(([, reason]) => reason))];
  if (noPython && skipped > 0) reasons.push(noPython);
  return { passed: Math.max(0, ran - failed - skipped), failed, skipped, reasons };
}

/**
 * Name → what it needs installed (scripts/setup.mjs) and how it runs; in the order of `npm test`. Those that compute, most of it in
 * compilers, run beside each other and beside those that wait: for windows, trainers and time.
 */
export const suites = {
  unit: { parts: ["compiler"], run: unit },
  native: { parts: ["compiler"], computes: true, run: native },
  golden: { parts: ["compiler"], computes: true, run: () => goldenCases(join(dist, "test", "golden", "golden.js"), {}) },
  cuda: {
    parts: ["compiler", "cuda"],
    computes: true,
    run: async (installing) => sumOf(await runCudaSuite(installing, nodeTests, goldenCases)),
  },
  host: { parts: ["compiler", "browser", "vscode"], run: ({ vscode }) => vscode.then(() => runHostSuite()) },
  ui: { parts: ["compiler", "browser", "vscode"], run: ({ vscode }) => vscode.then(() => runUiSuite(nodeTests)) },
  python: { parts: ["compiler", "python"], run: pythonTests },
};
