/** What stands in a folder in place of a file: it is told, and it is not read. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { encodeValues } from "../../extension/protocol/tfevents";
import { namesIn, NotRead, readText, sizeOf } from "../../extension/runs/files";
import { listRuns } from "../../extension/runs/list";
import { order } from "../../extension/runs/order";
import { openToAppend } from "../../extension/runs/ownFiles";
import { listCheckpoints, readTail, RunReader } from "../../extension/runs/runFolder";
import { LineTail, MOST_LINE } from "../../extension/runs/tail";
import { temporaryFolder } from "./folders";

const windows = process.platform === "win32" && "Windows has no pipes in folders, and links only for administrators";
const LOG = "events.out.tfevents.1.h";

describe("in place of a file", { skip: windows }, () => {
  const kinds: [string, (path: string) => void, RegExp][] = [
    ["a link to a device without end", (path) => symlinkSync("/dev/zero", path), /expected a file, found a link/],
    ["a link to a file", (path) => symlinkSync("/etc/hostname", path), /expected a file, found a link/],
    ["a link to itself", (path) => symlinkSync(path, path), /expected a file, found a link/],
    ["a pipe", (path) => void execFileSync("mkfifo", [path]), /expected a file, found a pipe/],
    ["a folder", (path) => mkdirSync(path), /expected a file, found a folder/],
  ];
  for (const [what, make, message] of kinds) {
    it(`${what} is not read, which is said once, and the rest of the run is`, async (t) => {
      const folder = temporaryFolder(t);
      writeFileSync(join(folder, "events.out.tfevents.2.h"), encodeValues(1, 3, [{ tag: "a", shape: "scalar", value: 5 }]));
      const places = ["run.json", "events.jsonl", LOG, "trainer.log", "control.jsonl"];
      for (const name of places) make(join(folder, name));
      const reader = new RunReader(folder);
      for (let n = 0; n < 3; n++) await reader.poll();
      assert.deepEqual([...reader.series("a")!.values], [5]);
      // A folder with a log's name is none.
      const told = what === "a folder" ? ["run.json", "events.jsonl"] : ["run.json", LOG, "events.jsonl"];
      assert.deepEqual(
        reader.warnings.map((warning) => warning.split(":")[0]),
        told,
      );
      for (const warning of reader.warnings) assert.match(warning, message);
      assert.match(await readTail(join(folder, "trainer.log")), message);
      await assert.rejects(order(folder, { do: "stop" }), { name: "UserError", message: /expected a file of the run's own, found a/ });
      assert.equal(await sizeOf(join(folder, "run.json")), undefined);
    });
  }

  it("an order is never written through a link", async (t) => {
    const folder = temporaryFolder(t);
    const outside = join(temporaryFolder(t), "theirs");
    writeFileSync(outside, "as it was");
    symlinkSync(outside, join(folder, "control.jsonl"));
    await assert.rejects(order(folder, { do: "stop" }), { name: "UserError", message: /found a link to/ });
    symlinkSync(`${outside}.new`, join(folder, "dangling"));
    await assert.rejects(openToAppend(join(folder, "dangling")), { name: "UserError", message: /found a link to/ });
    assert.equal(readFileSync(outside, "utf8"), "as it was");
    assert.deepEqual(readdirSync(join(outside, "..")), ["theirs"]);
  });

  it("checkpoints behind a link are another run's", async (t) => {
    const folder = temporaryFolder(t);
    const other = temporaryFolder(t);
    writeFileSync(join(other, "step-00000001.safetensors"), "");
    symlinkSync(other, join(folder, "checkpoints"));
    await assert.rejects(listCheckpoints(folder), /checkpoints: expected a folder, found a link/);
    assert.deepEqual(await listCheckpoints(other), []);
  });

  it("folders that are links, and loops of them, are no runs", async (t) => {
    const folder = temporaryFolder(t);
    mkdirSync(join(folder, "a"));
    writeFileSync(join(folder, "a", "run.json"), "{}");
    symlinkSync(join(folder, "a"), join(folder, "b"));
    symlinkSync(".", join(folder, "loop"));
    symlinkSync("..", join(folder, "a", "up"));
    assert.deepEqual(await listRuns(folder), [join(folder, "a")]);
  });
});

describe("a file that is too large", () => {
  it("is not read as a whole", async (t) => {
    const folder = temporaryFolder(t);
    const path = join(folder, "run.json");
    writeFileSync(path, "{}");
    truncateSync(path, 2 ** 40); // a hole
    await assert.rejects(readText(path, 100), /expected at most 100 bytes, found 1099511627776/);
    const reader = new RunReader(folder);
    await reader.poll();
    assert.match(reader.warnings.join(), /^run\.json: expected at most 2097152 bytes, found 1099511627776$/);
  });
  it("is read where it is lines, but for lines that are too long", async (t) => {
    const path = join(temporaryFolder(t), "lines");
    const long = "x".repeat(MOST_LINE + 1);
    writeFileSync(path, `a\n${long}\n${long.slice(1)}\n\nb\n${long}${long}`);
    const tail = new LineTail(path);
    const lines = await tail.read();
    assert.deepEqual(
      lines.map(({ number, text, tooLong }) => [number, text.length, tooLong]),
      [
        [1, 1, undefined],
        [2, 200, MOST_LINE + 1],
        [3, MOST_LINE, undefined],
        [4, 0, undefined],
        [5, 1, undefined],
      ],
    );
    writeFileSync(path, "\nc\n", { flag: "a" });
    assert.deepEqual((await tail.read()).slice(1), [{ number: 7, text: "c" }]);
  });
  it("is a folder of more names than anyone has", async (t) => {
    const folder = temporaryFolder(t);
    const full = join(folder, "full");
    mkdirSync(full);
    for (let n = 0; n <= 20_000; n++) writeFileSync(join(full, `${n}`), "");
    await assert.rejects(namesIn(full), /full: expected at most 20000 files, there are more/);
    assert.deepEqual(await listRuns(folder), []);
    rmSync(full, { recursive: true });
  });
  it("that is replaced by a link between two looks is not read either", { skip: windows }, async (t) => {
    const path = join(temporaryFolder(t), "file");
    writeFileSync(path, "sound");
    assert.equal(await readText(path, 10), "sound");
    renameSync(path, `${path}.aside`);
    symlinkSync(`${path}.aside`, path);
    await assert.rejects(readText(path, 10), NotRead);
  });
});
