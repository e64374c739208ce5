/** PyTorch as a contender: a Python process that answers one JSON line for each line it is sent. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Contender } from "./measure";

export interface TorchWorker extends Contender {
  readonly version: string;
  prepare(command: object): Promise<void>;
  stop(): void;
}

/** Null, with the reason printed, where Python has no torch. */
export async function startTorch(python: string, script: string): Promise<TorchWorker | null> {
  const child = spawn(python, [script], { stdio: ["pipe", "pipe", "pipe"], env: { ...process.env, OMP_WAIT_POLICY: "passive" } });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (command: object): Promise<Record<string, unknown>> => {
    child.stdin.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`the PyTorch worker ended: ${errors.trim().split("\n").at(-1) ?? "no message"}`);
    return JSON.parse(value as string) as Record<string, unknown>;
  };
  child.stdin.on("error", () => undefined); // a worker that could not start is reported by `ask`
  try {
    await Promise.race([once(child, "spawn"), once(child, "error").then(([error]) => Promise.reject(error as Error))]);
    const { torch, threads } = await ask({ muon: [[8, 8]] });
    return {
      version: `${torch as string}, ${threads as number} threads`,
      prepare: async (command) => void (await ask(command)),
      run: async (count) => (await ask({ run: count }))["seconds"] as number[],
      stop: () => child.kill(),
    };
  } catch (error) {
    console.log(`skipped: comparisons with PyTorch (${(error as Error).message})`);
    return null;
  }
}
