// Runs other programs for the scripts and tells a person what is going on: what, how long, and what went wrong.
import { spawn } from "node:child_process";
import { pathToFileURL } from "node:url";
import { root } from "./places.mjs";

const terminal = process.stdout.isTTY === true;

/** An expected failure: its message is all that a person needs, so no stack is printed. */
export class Failure extends Error {}

/** Whether the module with this address is what `node` was called with, and not imported. */
export const isProgram = (url) => process.argv[1] !== undefined && url === pathToFileURL(process.argv[1]).href;

/** Runs `main`; a Failure is printed and becomes exit code 1. */
export async function entry(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Failure ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}

/** Shows the time that `work` takes: one line rewritten on a terminal, a line every 20 s elsewhere. */
export async function step(title, work) {
  const started = Date.now();
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(1)} s`;
  let detail = "";
  const draw = () => {
    const line = `${title}… ${seconds()}${detail ? `  ${detail}` : ""}`;
    if (terminal) process.stdout.write(`\r\x1b[2K${line.slice(0, (process.stdout.columns ?? 80) - 1)}`);
    else console.log(line);
  };
  if (terminal) draw();
  else console.log(`${title}…`);
  const timer = setInterval(draw, terminal ? 200 : 20_000);
  try {
    const result = await work((text) => (detail = text.trim()));
    console.log(`${terminal ? "\r\x1b[2K" : ""}${title}: done in ${seconds()}`);
    return result;
  } catch (error) {
    console.log(`${terminal ? "\r\x1b[2K" : ""}${title}: failed after ${seconds()}`);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/**
 * Runs a program to its end and returns its output. `onLine` sees each line as it comes. Rejects with a Failure that
 * holds the end of the output when it exits with another code than 0 (unless `allowFailure`).
 */
export function capture(program, args, { cwd = root, env = {}, onLine, allowFailure = false, timeout } = {}) {
  return new Promise((accept, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], timeout });
    let output = "";
    let rest = "";
    const take = (chunk) => {
      output += chunk;
      const lines = (rest + chunk).split(/\r?\n/);
      rest = lines.pop();
      for (const line of lines) onLine?.(line);
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    child.on("error", (error) => reject(new Failure(`Could not start ${program}: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (rest) onLine?.(rest);
      if (code === 0 || allowFailure) return accept({ code, signal, output });
      const tail = output.trimEnd().split("\n").slice(-60).join("\n");
      reject(new Failure(`${tail}\n\n${program} ${args.join(" ")}\nended with ${signal ?? `exit code ${code}`}.`));
    });
  });
}

/** A long program under a title, its last line of output shown while it runs. */
export const runStep = (title, program, args, options = {}) =>
  step(title, (show) => capture(program, args, { ...options, onLine: (line) => (show(line), options.onLine?.(line)) }));

/** A program whose output goes straight to the terminal; returns its exit code. */
export function passThrough(program, args, { cwd = root, env = {} } = {}) {
  return new Promise((accept, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: "inherit" });
    child.on("error", (error) => reject(new Failure(`Could not start ${program}: ${error.message}`)));
    child.on("close", (code, signal) => accept(code ?? (signal ? 1 : 0)));
  });
}
