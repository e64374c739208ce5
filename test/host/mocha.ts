/** Runs tests with Mocha in this process and returns what became of each. */
import Mocha from "mocha";

export interface TestResult {
  title: string;
  state: "passed" | "failed" | "pending";
  error?: string;
  seconds?: number;
}

/** Results are taken from Mocha's events; it prints nothing. */
class Silent {}

/** `define` calls `describe` and `it`. Never rejects: a failure is a result. */
export function runMocha(define: () => void): Promise<TestResult[]> {
  const mocha = new Mocha({ ui: "bdd", timeout: 30_000, reporter: Silent as unknown as Mocha.ReporterConstructor });
  mocha.suite.emit("pre-require", globalThis, "", mocha);
  define();
  const results: TestResult[] = [];
  return new Promise((resolve) => {
    mocha
      .run()
      .on("pass", (test) => results.push({ title: test.fullTitle(), state: "passed", seconds: (test.duration ?? 0) / 1000 }))
      .on("pending", (test) => results.push({ title: test.fullTitle(), state: "pending" }))
      .on("fail", (test, error: Error) => results.push({ title: test.fullTitle(), state: "failed", error: error.stack ?? error.message }))
      .on("end", () => resolve(results));
  });
}
