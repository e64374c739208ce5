/** How processes and workers may end around the addon: each runs in a process of its own, which must end by itself, with exit code 0. */
import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { loadAddon } from "../../extension/trainer/addon";
import { subjects, target, type Methods, type Subjects } from "./hostileSubjects";

const forEver = () => {
  for (;;);
};

const stepOf = (on: "engine" | "optimizer") => target(on, "step");
const begin = ({ engine }: Subjects) => engine.step!(...stepOf("engine").args()) as Promise<unknown>;
const withGetter = ({ engine }: Subjects, get: () => unknown) => {
  const [tokens, options] = stepOf("engine").args();
  return engine.step!(tokens, Object.defineProperty(options as object, "lrScale", { get }));
};

/** One of `ends` on a thread of its own; `meanwhile` is told when it says that it began. */
function worker(end: string, meanwhile: (worker: Worker) => void): Promise<number> {
  const started = new Worker(__filename, { argv: ["end", end] });
  started.on("message", () => meanwhile(started));
  return new Promise((resolve, reject) => started.on("exit", resolve).on("error", reject));
}

async function say(): Promise<void> {
  const { parentPort } = await import("node:worker_threads");
  parentPort?.postMessage("begun");
}

export const ends: Record<string, () => Promise<void>> = {
  "process.exit while a step runs": async () => {
    void begin(await subjects());
    process.exit(0);
  },
  "process.exit in a getter": async () => {
    withGetter(await subjects(), () => process.exit(0));
    process.exit(1);
  },
  "nothing disposed of, a step still running": async () => {
    void begin(await subjects());
  },
  "an engine that is collected while it works": async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const running = begin(await subjects());
    for (let i = 0; i < 10; i++) collect();
    await running;
    for (let i = 0; i < 10; i++) {
      await new Promise(setImmediate);
      collect();
    }
  },
  "loaded twice, the objects of one with the methods of the other": async () => {
    const on = await subjects();
    const again = loadAddon() as unknown as Methods;
    const other = (await again.createEngine!(...target("addon", "createEngine").args())) as Methods;
    const method = (from: Methods, name: string) => (Object.getPrototypeOf(from) as Methods)[name]!;
    assert.throws(() => Reflect.apply(method(other, "parameters"), on.optimizer, []));
    assert.throws(() => new (other.constructor as unknown as new (...args: unknown[]) => unknown)(on.engine));
    other.dispose!();
    assert.ok(on.engine.memory);
  },
  "loaded where nothing can be exported": async () => {
    Object.defineProperty(Object.prototype, "createEngine", { set: () => assert.fail("a setter"), configurable: true });
    assert.throws(() => loadAddon(), /a setter/);
  },
  "a worker that is ended while a step runs": async () => {
    await worker("on a thread: steps for ever", (thread) => void thread.terminate());
  },
  "a worker that is ended in a getter": async () => {
    await worker("on a thread: a getter for ever", (thread) => void thread.terminate());
  },
  "a worker that exits in a getter": async () => {
    assert.equal(await worker("process.exit in a getter", () => {}), 0);
  },
  "a worker that exits while a step runs": async () => {
    assert.equal(await worker("process.exit while a step runs", () => {}), 0);
  },
};

/** What workers do until they are ended. */
const onThreads: Record<string, () => Promise<void>> = {
  "on a thread: steps for ever": async () => {
    const on = await subjects();
    await say();
    for (;;) await begin(on);
  },
  "on a thread: a getter for ever": async () => {
    const on = await subjects();
    await say();
    withGetter(on, forEver);
  },
};

export const runEnd = (name: string): Promise<void> => ({ ...ends, ...onThreads })[name]!();
