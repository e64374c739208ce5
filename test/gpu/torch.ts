/** PyTorch on the same GPU: a Python process that answers one JSON line for each line it is sent (torch_gpu.py). */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Contender } from "../bench/measure";
import { beside, lastLines, python, withoutLibraries } from "./processes";

export interface Torch {
  readonly version: string;
  /** Rejects with PyTorch's words where it cannot. */
  contender(command: object): Promise<Contender>;
  stop(): void;
}

interface Answer {
  error?: string;
  torch?: string;
  cuda?: boolean;
  seconds?: number[];
}

/** `eager`: uncompiled and also on the CPU, to try it out. Or the reason why it is not there. */
export async function startTorch(eager: boolean): Promise<Torch | { reason: string }> {
  const args = [beside("torch_gpu.py"), ...(eager ? ["--eager"] : [])];
  const child = spawn(python(), args, { stdio: ["pipe", "pipe", "pipe"], env: withoutLibraries() });
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4000)));
  child.on("error", (error) => (errors += error.message));
  child.stdin.on("error", () => undefined); // one that could not start is reported by `ask`
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ask = async (command: object): Promise<Answer> => {
    child.stdin.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`the PyTorch process ended: ${lastLines(errors, 1) || "it gave no reason"}`);
    const answer = JSON.parse(value as string) as Answer;
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  };
  try {
    const { torch, cuda } = await ask({ hello: true });
    if (!cuda && !eager) {
      child.kill();
      return { reason: `PyTorch ${torch} of ${python()} finds no CUDA device` };
    }
    let contenders = 0;
    return {
      version: `PyTorch ${torch}`,
      contender: async (command) => {
        const name = `c${contenders++}`;
        await ask({ ...command, name });
        return { run: async (count) => (await ask({ run: count, name })).seconds ?? [] };
      },
      stop: () => child.kill(),
    };
  } catch (error) {
    child.kill();
    return { reason: (error as Error).message };
  }
}
