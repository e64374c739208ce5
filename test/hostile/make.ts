/**
 * A folder as nobody should meet it: runs that were made to hang, to fill the memory, to break the view or to run something, each
 * in a way that was found once. Made when it is needed, for links, pipes, holes and tens of megabytes are nothing to commit.
 * Linux and macOS.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32c, masked } from "../../extension/protocol/crc32c";
import { encodeFileVersion, encodeSessionStart, encodeValues, type LogValue } from "../../extension/protocol/tfevents";
import { frameRecord, MOST_RECORD } from "../../extension/protocol/tfrecord";
import { description, event, finished, started, writeRun } from "./soundRun";

export interface HostileRun {
  /** Name of its folder. */
  name: string;
  /** What it does, in one line. */
  what: string;
  make: (folder: string) => void;
}

/** What would run if a text became a link, a picture or an icon somewhere. */
export const LURES = [
  "[Open](command:workbench.action.terminal.new)",
  "![x](http://127.0.0.1:9/picture.png)",
  '<img src="http://127.0.0.1:9/picture.png"><a href="command:workbench.action.terminal.new">x</a>',
  "$(trash~spin) \u202ednuor nrut\u202c\nsecond line\u0000\u001b[31m",
];

const LOG = "events.out.tfevents.100.h";
const scalar = (tag: string, value: number): LogValue => ({ tag, shape: "scalar", value });
const log = (folder: string, records: Uint8Array[]): void => writeFileSync(join(folder, LOG), Buffer.concat(records));
const events = (folder: string, lines: string[]): void => writeFileSync(join(folder, "events.jsonl"), lines.join(""));
const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
/** A record's beginning that claims a length, with a sound checksum. */
function claim(length: bigint): Uint8Array {
  const header = new DataView(new ArrayBuffer(12));
  header.setBigUint64(0, length, true);
  header.setUint32(8, masked(crc32c(new Uint8Array(header.buffer, 0, 8))), true);
  return new Uint8Array(header.buffer);
}

export const HOSTILE_RUNS: readonly HostileRun[] = [
  ...LURES.map((lure, i) => ({
    name: `text-${i}-${lure.replace(/[/\n\0]/g, "%").slice(0, 60)}`,
    what: "name, reasons, orders, paths and files' names are links to commands, pictures or icons",
    make: (folder: string) => {
      writeRun(folder, { ...description(lure, [lure]), runFile: lure, parent: { id: lure, checkpoint: lure } });
      const applied = event({ type: "applied", order: lure, set: { [lure]: lure }, scope: lure, before: { [lure]: { [lure]: lure } } });
      const others = [
        { type: "refused", order: lure, reason: lure },
        { type: "alert", severity: "error", message: lure },
        { type: "checkpoint", file: lure, loss: 1 },
        { type: lure },
      ];
      events(folder, [started, applied, ...others.map((other) => event(other)), event({ type: "failed", message: lure })]);
      writeFileSync(
        join(folder, `${lure.replace(/[/\n\0]/g, "%")}.tfevents.1`),
        encodeValues(1, 1, [scalar(lure, 1), scalar(`${lure}/a/b`, 1)]),
      );
      writeFileSync(join(folder, "trainer.log"), `${lure}\n`.repeat(5));
      mkdirSync(join(folder, "checkpoints"));
      writeFileSync(join(folder, "checkpoints", "step-00000001.safetensors"), lure);
    },
  })),
  {
    name: "backwards",
    what: "a field of negative length leads a reader of 27 bytes back to itself",
    make: (folder) => log(folder, [frameRecord(Uint8Array.of(0x1a, 0xf5, ...new Array<number>(8).fill(0xff), 0x01))]),
  },
  {
    name: "long-claims",
    what: "records claim 33 MB and 2^60 bytes, which are not there",
    make: (folder) => {
      log(folder, [encodeValues(1, 1, [scalar("a", 1)]), claim(BigInt(MOST_RECORD))]);
      writeFileSync(join(folder, "events.out.tfevents.200.h"), claim(2n ** 60n));
    },
  },
  {
    name: "wrong-types",
    what: "run.json has a number for a name, and the reason of a pause is one",
    make: (folder) => {
      writeRun(folder, { ...description("x"), name: 5 });
      events(folder, [event({ type: "paused", reason: 5 }), event({ type: "failed", message: { a: 1 } })]);
    },
  },
  { name: "empty-object", what: "run.json is {}", make: (folder) => writeRun(folder, {}) },
  {
    name: "null-lines",
    what: "every line of events.jsonl is null, and one is a hundred thousand brackets",
    make: (folder) => events(folder, ["null\n".repeat(20_000), `${"[".repeat(100_000)}\n`]),
  },
  {
    name: "many-events",
    what: "200,000 events, more than a call takes arguments",
    make: (folder) => {
      writeRun(folder, description("many events"));
      const orders = range(100_000).map((i) => event({ type: "applied", order: `${i}`, set: { lr: i }, scope: "*" }, i));
      events(folder, [started, ...orders, event({ type: "paused", reason: "r" }).repeat(100_000), finished]);
    },
  },
  {
    name: "many-restarts",
    what: "20,000 starts, each from another checkpoint",
    make: (folder) => {
      const resumed = (i: number) => event({ type: "started", pid: 1, host: "elsewhere", processStart: "x", resumedFrom: `f${i}` }, i);
      events(folder, [...range(20_000).map((i) => event({ type: "checkpoint", file: `f${i}`, loss: 1 }, i) + resumed(i))]);
      log(folder, [...range(5000).map((i) => encodeValues(1767225600 + i, i, [scalar("loss/train", i), scalar("loss/val", -i)]))]);
    },
  },
  {
    name: "long-line",
    what: "events.jsonl is one line of 40 MB",
    make: (folder) => writeFileSync(join(folder, "events.jsonl"), Buffer.alloc(40e6, "x")),
  },
  {
    name: "many-objects",
    what: "run.json is 2 MB of empty objects in a list",
    make: (folder) => writeFileSync(join(folder, "run.json"), `[${"{},".repeat(690_000)}{}]`),
  },
  ...["/dev/zero", "../../../outside.txt", "run.json"].map((target, i) => ({
    name: `links-${i}`,
    what: `run.json, events.jsonl, control.jsonl, trainer.log, a log and checkpoints are links to ${target}`,
    make: (folder: string) => {
      for (const name of ["run.json", "events.jsonl", "control.jsonl", "trainer.log", LOG, "checkpoints"]) {
        symlinkSync(target, join(folder, name));
      }
    },
  })),
  {
    name: "pipes",
    what: "run.json, events.jsonl, trainer.log and a log are pipes that nobody writes to",
    make: (folder) => {
      for (const name of ["run.json", "events.jsonl", "trainer.log", LOG]) execFileSync("mkfifo", [join(folder, name)]);
    },
  },
  {
    name: "holes",
    what: "run.json, events.jsonl, trainer.log and a log are holes of a terabyte",
    make: (folder) => {
      for (const name of ["run.json", "trainer.log", LOG]) {
        writeFileSync(join(folder, name), "");
        truncateSync(join(folder, name), 2 ** 40);
      }
    },
  },
  {
    name: "globs",
    what: "orders were for scopes that a regular expression never finishes with",
    make: (folder) => {
      writeRun(
        folder,
        description(
          "globs",
          range(100).map((i) => "a".repeat(150) + i),
        ),
      );
      const scopes = [`${"*a".repeat(60)}*b`, `${"*".repeat(500)}b`, `${"*a".repeat(501)}b`];
      events(folder, [started, ...scopes.map((scope) => event({ type: "applied", order: "1", set: { normalize: false }, scope }))]);
    },
  },
  {
    name: "others-checkpoints",
    what: "checkpoints is a link to another run's, and trainer.log to a file of the user's",
    make: (folder) => {
      writeRun(folder, description("others"));
      events(folder, [started, event({ type: "stopped", reason: "ordered", checkpoint: null })]);
      symlinkSync("../empty-object", join(folder, "checkpoints"));
      symlinkSync("../../../outside.txt", join(folder, "trainer.log"));
    },
  },
  {
    name: "many-logs",
    what: "two thousand logs, each of which claims more than it has",
    make: (folder) => {
      for (const i of range(2000)) writeFileSync(join(folder, `events.out.tfevents.${1000 + i}.h`), claim(BigInt(MOST_RECORD)));
      writeFileSync(join(folder, LOG), encodeValues(1, 1, [scalar("first", 1)]));
    },
  },
  {
    name: "loops",
    what: "links to itself and to the folders above, for whoever looks for files below",
    make: (folder) => {
      writeRun(folder, description("loops"));
      for (const [name, target] of Object.entries({ loop: ".", again: ".", up: "..", top: "../../.." }))
        symlinkSync(target, join(folder, name));
    },
  },
  {
    name: "sound-40-mb",
    what: "a sound log of 40 MB: 20 bytes of a record's values at a time, and one record of 30 MB",
    make: (folder) => {
      const pieces = range(40_000).map((i) => encodeValues(i, i, [scalar("loss/train", i), scalar("loss/val", i), scalar("a/b/c", i)]));
      log(folder, [
        encodeFileVersion(1),
        ...pieces,
        frameRecord(new Uint8Array(30e6).fill(0x12)),
        encodeValues(1, 50_000, [scalar("end", 1)]),
      ]);
    },
  },
  {
    name: "descending",
    what: "200,000 steps, each before the last",
    make: (folder) => log(folder, [...range(200_000).map((i) => encodeValues(1e9 - i, 200_000 - i, [scalar("loss/train", i)]))]),
  },
  {
    name: "one-record",
    what: "one record of 3 MB with 150,000 values, each of another tag",
    make: (folder) => {
      const values = encodeValues(
        1,
        1,
        range(150_000).map((i) => scalar(`t${i}/a/w${i}`, i)),
      );
      log(folder, [values]);
    },
  },
  {
    name: "restarts",
    what: "ten thousand tags, and a hundred thousand restarts that supersede them",
    make: (folder) =>
      log(folder, [
        encodeValues(
          1,
          1,
          range(10_000).map((i) => scalar(`t${i}`, i)),
        ),
        ...range(100_000).map((i) => encodeSessionStart(1, 1 + (i % 2))),
      ]),
  },
  {
    name: "times",
    what: "times that are none, stand still, or differ by less than can be divided by",
    make: (folder) =>
      log(folder, [
        ...range(5000).map((i) => encodeValues(i * Number.MIN_VALUE, i, [scalar("loss/train", i), scalar("loss/val", NaN)])),
        ...[NaN, Infinity, -1e300, 1e15].map((time) => encodeValues(time, 6000, [scalar("loss/train", 1)])),
        encodeValues(-8e12, 2 ** 53, [scalar("loss/train", -0)]),
      ]),
  },
];

/** Makes a workspace of `folder`, which must be there: its runs are in `.muonscope/runs`. Returns them, in no order. */
export function makeHostileFolder(folder: string): void {
  const runs = join(folder, ".muonscope", "runs");
  mkdirSync(runs, { recursive: true });
  writeFileSync(join(folder, "outside.txt"), "as it was\n");
  for (const { name, make } of HOSTILE_RUNS) {
    mkdirSync(join(runs, name));
    make(join(runs, name));
  }
  // Beside them, what is no run: a link to one, loops, and thousands of names.
  symlinkSync("empty-object", join(runs, "a-link-to-a-run"));
  symlinkSync(".", join(runs, "loop"));
  symlinkSync("../..", join(runs, "everything"));
  mkdirSync(join(runs, "many-names"));
  for (const i of range(5000)) writeFileSync(join(runs, "many-names", `${i}`), "");
  // For data globs: one file, by way of three links without end.
  for (const name of ["a", "b", "c"]) symlinkSync(".", join(folder, name));
  writeFileSync(join(folder, "hostile.muonscope.json"), JSON.stringify({ name: LURES[0], data: { files: ["**/*.txt"] } }));
  symlinkSync("/dev/zero", join(folder, "endless.muonscope.json"));
}
