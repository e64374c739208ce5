/** The programs of the check: where they are, and how one is run for no longer than it may take. */
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

/** A file of the folder that scripts/gpu-check.mjs puts together, in which this bundle lies. */
export const beside = (name: string): string => join(__dirname, name);

export interface Ended {
  code: number | null;
  signal: string | null;
  output: string;
  /** It was ended because its time was over. */
  late: boolean;
}

interface Options {
  /** Seconds. */
  limit: number;
  env?: NodeJS.ProcessEnv;
  onLine?: (line: string) => void;
}

export function run(program: string, args: readonly string[], { limit, env = process.env, onLine }: Options): Promise<Ended> {
  return new Promise((accept) => {
    const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, limit * 1e3);
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (line) => {
        output += `${line}\n`;
        onLine?.(line);
      });
    child.on("error", (error) => {
      clearTimeout(timer);
      accept({ code: null, signal: null, output: error.message, late });
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      accept({ code, signal, output, late });
    });
  });
}

export const lastLines = (output: string, lines: number): string => output.trimEnd().split("\n").slice(-lines).join("\n");

export const ending = ({ code, signal }: Ended): string => (signal === null ? `exit code ${code}` : signal);

/** The test program needs the BLAS that lies beside it. */
export function withLibraries(): NodeJS.ProcessEnv {
  const folders = [__dirname, process.env["LD_LIBRARY_PATH"]].filter(Boolean);
  return { ...process.env, LD_LIBRARY_PATH: folders.join(delimiter) };
}

/** Python has libraries of its own, and is not to find ours before them. */
export function withoutLibraries(): NodeJS.ProcessEnv {
  const folders = (process.env["LD_LIBRARY_PATH"] ?? "").split(delimiter).filter((folder) => folder !== __dirname && folder !== "");
  return { ...process.env, LD_LIBRARY_PATH: folders.join(delimiter) };
}

export const python = (): string => process.env["MUONSCOPE_PYTHON"] || "python3";

/** What nvidia-smi answers, a line a GPU; or why it does not. */
export async function nvidiaSmi(query: string): Promise<string[] | { reason: string }> {
  const ended = await run("nvidia-smi", [query, "--format=csv,noheader,nounits"], { limit: 20 });
  if (ended.code !== 0) return { reason: `nvidia-smi does not answer (${lastLines(ended.output, 1) || ending(ended)})` };
  return ended.output.trim().split("\n");
}
