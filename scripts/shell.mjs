// Runs other programs for the scripts and tells a person what is going on: what, how long, and what went wrong.
import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import { setPriority } from "node:os";
import { pathToFileURL } from "node:url";
import { root } from "./places.mjs";

const terminal = process.stdout.isTTY === true;
/** Milliseconds between looks at what is going on: a line rewritten on a terminal, a line of its own elsewhere. */
const STATUS_EVERY = terminal ? 200 : 20_000;

/** An expected failure: its message is all that a person needs, so no stack is printed. */
export class Failure extends Error {}

/** Whether the module with this address is what `node` was called with, and not imported. */
export const isProgram = (url) => process.argv[1] !== undefined && url === pathToFileURL(process.argv[1]).href;

const children = new Set();

/** Runs `main`; a Failure is printed and becomes exit code 1. What was started and still runs beside it is ended. */
export async function entry(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof Failure ? `\n${error.message}` : error);
    process.exitCode = 1;
    for (const child of children) child.kill();
  }
}

/** Where the lines go of what runs beside something else, and at which priority its programs run. */
const surroundings = new AsyncLocalStorage();

/** Prints a line, or keeps it for the end of what is run `apart`. */
export function print(line) {
  const kept = surroundings.getStore()?.lines;
  if (kept) kept.push(line);
  else console.log(`${terminal ? "\r\x1b[2K" : ""}${line}`);
}

/**
 * Runs `work` beside other things: what it prints comes in one piece at its end. `niceness`: of the programs that it starts, 19 being
 * what gives way to everything else; for what computes beside what is timed. Without it, as around here.
 */
export async function apart(work, { niceness = surroundings.getStore()?.niceness ?? 0 } = {}) {
  const lines = [];
  try {
    return await surroundings.run({ lines, niceness }, work);
  } finally {
    for (const line of lines) print(line);
  }
}

/** What is going on: title, when it began, how far it is. */
const running = new Set();
let timer;

const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(terminal ? 1 : 0)} s`;

function showStatus() {
  const line = [...running].map(({ title, started, detail }) => `${title}… ${detail ? `${detail}, ` : ""}${seconds(started)}`).join(" | ");
  if (!terminal) console.log(line);
  else process.stdout.write(`\r\x1b[2K${line.slice(0, (process.stdout.columns ?? 80) - 1)}`);
}

/** Shows that `work` goes on and the time that it takes. `work` is given a function that says how far it is. */
export async function step(title, work) {
  const entry = { title, started: Date.now(), detail: "" };
  running.add(entry);
  timer ??= setInterval(showStatus, STATUS_EVERY);
  try {
    const result = await work((detail) => (entry.detail = detail));
    print(`${title}: done in ${seconds(entry.started)}`);
    return result;
  } catch (error) {
    print(`${title}: failed after ${seconds(entry.started)}`);
    throw error;
  } finally {
    running.delete(entry);
    if (running.size === 0) {
      clearInterval(timer);
      timer = undefined;
      if (terminal) process.stdout.write("\r\x1b[2K");
    }
  }
}

function start(program, args, options) {
  const child = spawn(program, args, options);
  const niceness = surroundings.getStore()?.niceness ?? 0;
  // What it starts inherits it. It may have ended already, or not have started, which "error" tells.
  if (niceness > 0 && child.pid !== undefined)
    try {
      setPriority(child.pid, niceness);
    } catch (error) {
      if (error.info?.code !== "ESRCH") throw error;
    }
  children.add(child);
  child.once("close", () => children.delete(child));
  return child;
}

/**
 * Runs a program to its end and returns its output. `onLine` sees each line as it comes. Rejects with a Failure that
 * holds the end of the output when it exits with another code than 0 (unless `allowFailure`).
 */
export function capture(program, args, { cwd = root, env = {}, onLine, allowFailure = false, timeout } = {}) {
  return new Promise((accept, reject) => {
    const child = start(program, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], timeout });
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

/** A long program under a title. `progress`: what a line of its output says of how far it is; undefined when nothing. */
export const runStep = (title, program, args, { progress, ...options } = {}) =>
  step(title, (show) =>
    capture(program, args, {
      ...options,
      onLine: (line) => {
        const said = progress?.(line);
        if (said !== undefined) show(said);
        options.onLine?.(line);
      },
    }),
  );

/** A program whose output goes straight to the terminal; returns its exit code. */
export function passThrough(program, args, { cwd = root, env = {} } = {}) {
  return new Promise((accept, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: "inherit" });
    child.on("error", (error) => reject(new Failure(`Could not start ${program}: ${error.message}`)));
    child.on("close", (code, signal) => accept(code ?? (signal ? 1 : 0)));
  });
}
