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

const STRAY = ["uncaughtException", "unhandledRejection"] as const;

/** In a stack: the product's folder, as installed. Other extensions share the process, and their stray errors are theirs. */
const PRODUCT = /muonscope\.muonscope-|muonscope[/\\]dist[/\\]main\.js/;

/** `define` calls `describe` and `it`. Never rejects: a failure is a result. So is an error that the product let go astray. */
export function runMocha(define: () => void): Promise<TestResult[]> {
  const mocha = new Mocha({ ui: "bdd", timeout: 30_000, reporter: Silent as unknown as Mocha.ReporterConstructor });
  mocha.suite.emit("pre-require", globalThis, "", mocha);
  define();
  const results: TestResult[] = [];
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
      .on("pass", (test) => results.push({ title: test.fullTitle(), state: "passed", seconds: (test.duration ?? 0) / 1000 }))
      .on("pending", (test) => results.push({ title: test.fullTitle(), state: "pending" }))
      .on("fail", (test, error: Error) => results.push({ title: test.fullTitle(), state: "failed", error: error.stack ?? error.message }))
      .on("end", () => {
        for (const name of STRAY) process.removeListener(name, stray);
        resolve(results);
      });
  });
}
