/**
 * The addon, called as nobody should: every call throws or rejects, or does what it can, and none ends the process.
 *
 * Calls are made in other processes, of which this bundle is the program, too. One says which call it makes before it makes it: when
 * it dies, that call has failed, and another process goes on behind it.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeSync } from "node:fs";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { judge, kinds } from "./hostileCalls";
import { ends, runEnd } from "./hostileEnds";
import { subjects } from "./hostileSubjects";

/** How long one process may take, which makes thousands of calls: milliseconds. */
const PATIENCE = 120_000;

/** Of all calls: without it the last one that was begun never came to one. */
const END = "all calls were made\n";

/** The pipe does not wait once JavaScript has looked at its stream: when it is full, its reader is awaited here. */
function write(text: string): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let rest = Buffer.from(text); rest.length > 0;)
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(clock, 0, 0, 1);
    }
}

const say = (sign: ">" | "<", index: number, text: string): void => write(`${sign} ${index} ${text.replaceAll("\n", " ")}\n`);

async function make(kind: string, first: number): Promise<void> {
  const calls = await kinds[kind]!();
  let on = await subjects();
  for (let index = first; index < calls.length; index++) {
    say(">", index, calls[index]!.name);
    say("<", index, (await judge(calls[index]!, on)) ?? "");
    // Wrong values leave the objects as they are; all else may have disposed of them.
    if (kind !== "values") on = await subjects();
  }
  write(END);
}

/** Which call was begun last, and what was wrong with those that came to an end. */
function read(output: string): { begun: { index: number; name: string } | undefined; wrong: string[] } {
  const wrong: string[] = [];
  let begun: { index: number; name: string } | undefined;
  for (const [, sign, index, text] of output.matchAll(/^([<>]) (\d+) (.*)$/gm)) {
    if (sign === ">") begun = { index: Number(index), name: text! };
    else if (text) wrong.push(`${begun!.name}: ${text}`);
  }
  return { begun, wrong };
}

function run(...args: string[]): { output: string; died: string | undefined } {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["--unhandled-rejections=none", __filename, ...args], {
    encoding: "utf8",
    timeout: PATIENCE,
    maxBuffer: 1 << 28,
  });
  const last = stderr.trim().split("\n").slice(0, 12).join("\n");
  return { output: stdout, died: status === 0 ? undefined : `${signal ?? `exit code ${status}`} ${last}`.trim() };
}

/** What was wrong with the calls of a kind, each with its name. */
function problems(role: "make" | "thread", kind: string): string[] {
  const all: string[] = [];
  for (let first = 0; ;) {
    const { output, died } = run(role, kind, String(first));
    const { begun, wrong } = read(output);
    all.push(...wrong);
    if (!died && output.endsWith(END)) return begun ? all : [...all, `${kind}: no call was made`];
    const end = died ?? "nothing came of it";
    if (!begun || begun.index < first) return [...all, `${kind}: ${end}`];
    all.push(`${begun.name}: ${end}`);
    first = begun.index + 1;
  }
}

const [, , role, name, first] = process.argv;
/** Rejections of the calls are theirs, and ignored; these are not. */
const orDie = (made: Promise<void>): void =>
  void made.catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });

if (role === "make") orDie(make(name!, Number(first)));
else if (role === "end") orDie(runEnd(name!));
else if (role === "thread") new Worker(__filename, { argv: ["make", name!, first!] });
else
  describe("hostile calls of the addon", () => {
    for (const kind of Object.keys(kinds)) it(kind, () => assert.deepEqual(problems("make", kind), []));
    for (const kind of ["receivers", "getters", "moments", "prototypes"])
      it(`${kind}, on another thread`, () => assert.deepEqual(problems("thread", kind), []));
    for (const end of Object.keys(ends)) it(end, () => assert.equal(run("end", end).died, undefined));
  });
