/** Runs tests with Mocha in this process and returns what became of each. */
import Mocha from "mocha";
import { PATIENCE_MS } from "./waiting";

export interface TestResult {
  title: string;
  state: "passed" | "failed" | "pending";
  error?: string;
  seconds?: number;
  /** Why it was skipped. */
  reason?: string;
}

/** Results are taken from Mocha's events; it prints nothing. */
class Silent {}

const STRAY = ["uncaughtException", "unhandledRejection"] as const;

/** In a stack: the product's folder, as installed. Other extensions share the process, and their stray errors are theirs. */
const PRODUCT = /muonscope\.muonscope-|muonscope[/\\]dist[/\\]main\.js/;

/** So many times its patience a test may take: it waits for several things. */
const WAITS = 4;

const reasons = new WeakMap<object, string>();

/**
 * Within `describe`: a test that fails has the ones after it skipped, for they go on from where it left off; all are where something is
 * missing. One cause, one failure. `missing`: what, if anything.
 */
export function inSequence(missing: () => string | undefined = () => undefined): void {
  let failed: string | undefined;
  beforeEach(function () {
    const reason = failed ?? missing();
    if (reason === undefined) return;
    if (this.currentTest) reasons.set(this.currentTest, reason);
    this.skip();
  });
  afterEach(function () {
    if (this.currentTest?.state === "failed") failed = `goes on from "${this.currentTest.title}", which failed`;
  });
}

/**
 * `define` calls `describe` and `it`. Never rejects: a failure is a result. So is an error that the product let go astray. `onResult` is
 * told all results so far.
 */
export function runMocha(define: () => void, onResult: (results: readonly TestResult[]) => void): Promise<TestResult[]> {
  const mocha = new Mocha({ ui: "bdd", timeout: WAITS * PATIENCE_MS, reporter: Silent as unknown as Mocha.ReporterConstructor });
  mocha.suite.emit("pre-require", globalThis, "", mocha);
  define();
  const results: TestResult[] = [];
  const add = (test: Mocha.Runnable, result: Omit<TestResult, "title">): void => {
    results.push({ title: test.fullTitle(), ...result });
    onResult(results);
  };
  const stray = (error: unknown): void => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (PRODUCT.test(text)) results.push({ title: "no error goes astray", state: "failed", error: text });
  };
  return new Promise((resolve) => {
    const before = new Map(STRAY.map((name) => [name, process.listeners(name as "uncaughtException")]));
    const runner = mocha.run();
    // Mocha would blame the test that runs meanwhile.
    for (const name of STRAY) {
      for (const listener of process.listeners(name as "uncaughtException"))
        if (!before.get(name)?.includes(listener)) process.removeListener(name, listener);
      process.on(name, stray);
    }
    runner
      .on("pass", (test) => add(test, { state: "passed", seconds: (test.duration ?? 0) / 1000 }))
      .on("pending", (test) => add(test, { state: "pending", reason: reasons.get(test) ?? "skipped" }))
      .on("fail", (test, error: Error) => add(test, { state: "failed", error: error.stack ?? error.message }))
      .on("end", () => {
        for (const name of STRAY) process.removeListener(name, stray);
        resolve(results);
      });
  });
}
