/** Reading run folders: any prefix, restarts, damage, other tools' logs; never long without a breath. */
import assert from "node:assert/strict";
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { encodeFileVersion, encodeSessionStart, encodeValues } from "../../extension/protocol/tfevents";
import { frameRecord } from "../../extension/protocol/tfrecord";
import { isEventFile, listRuns } from "../../extension/runs/list";
import { RunReader } from "../../extension/runs/runFolder";
import { readFrom } from "../../extension/runs/tail";
import { temporaryFolder } from "./folders";
import { begin, read } from "./runs";

const scalar = (step: number, value: number, tag = "loss/train"): Uint8Array =>
  encodeValues(1e9 + step, step, [{ tag, shape: "scalar", value }]);
const log = (...records: Uint8Array[]): Buffer => Buffer.concat([encodeFileVersion(1e9), ...records]);
const points = (reader: RunReader, tag = "loss/train"): [number, number][] => {
  const series = reader.series(tag);
  return series ? Array.from(series.steps, (step, i) => [step, series.values[i]!]) : [];
};

describe("a run folder", () => {
  it("reads at every prefix of every file, and on from there", async (t) => {
    const { folder, done } = await begin(t, { steps: 12 });
    await done;
    const whole = await read(folder);
    const name = readdirSync(folder).find(isEventFile)!;
    const files = ["run.json", "events.jsonl", name];
    const copy = join(folder, "..", "copy");
    for (const file of files) {
      const content = readFileSync(join(folder, file));
      const stride = Math.max(1, Math.floor(content.length / 40));
      for (let end = 0; end <= content.length; end += stride) {
        rmSync(copy, { recursive: true, force: true });
        cpSync(folder, copy, { recursive: true });
        truncateSync(join(copy, file), end);
        const reader = new RunReader(copy);
        await reader.poll();
        reader.state();
        const damage = reader.warnings.filter((warning) => !warning.startsWith("run.json"));
        assert.deepEqual(damage, [], `${file} up to byte ${end}`);
        writeFileSync(join(copy, file), content);
        await reader.poll();
        assert.deepEqual(
          [reader.events, reader.tags(), points(reader)],
          [whole.events, whole.tags(), points(whole)],
          `${file} from byte ${end}`,
        );
        if (file !== "run.json") assert.deepEqual(reader.state(), whole.state());
      }
    }
  });

  it("gives a panel what came since it last asked", async (t) => {
    const folder = temporaryFolder(t);
    const file = join(folder, "events.out.tfevents.100.h");
    writeFileSync(file, log(scalar(1, 5), scalar(2, 4)));
    const reader = await read(folder);
    const first = reader.points("loss/train", undefined)!;
    assert.deepEqual([first.reset, [...first.added.steps]], [true, [1, 2]]);
    assert.equal(await reader.poll(), false, "nothing new");
    assert.equal(reader.points("loss/train", first.cursor)!.added.steps.length, 0);
    for (let step = 3; step < 300; step++) appendFileSync(file, scalar(step, 3));
    assert.equal(await reader.poll(), true);
    const second = reader.points("loss/train", first.cursor)!;
    assert.deepEqual([second.reset, second.added.steps[0], second.added.steps.length], [false, 3, 297]);
    assert.deepEqual([...first.added.steps], [1, 2], "a view handed out stays as it was");
    assert.equal(reader.points("no/such", undefined), undefined);
  });

  it("that grows faster than it is read does not hold its reader for ever", async (t) => {
    const file = join(temporaryFolder(t), "log");
    writeFileSync(file, new Uint8Array(300_000));
    let bytes = 0;
    for await (const piece of readFrom(file, 0)) {
      bytes += piece.length;
      appendFileSync(file, new Uint8Array(200_000));
      assert.ok(bytes <= 300_000, "it reads what was appended meanwhile");
    }
    assert.equal(bytes, 300_000);
  });

  it("lists its runs, newest first, and nothing else", async (t) => {
    const folder = temporaryFolder(t);
    for (const name of ["2026-a", "2027-b", "notes"]) mkdirSync(join(folder, name));
    writeFileSync(join(folder, "2026-a", "run.json"), "{}");
    writeFileSync(join(folder, "2027-b", "events.out.tfevents.1.h"), "");
    writeFileSync(join(folder, "run.json"), "{}");
    assert.deepEqual(await listRuns(folder), [join(folder, "2027-b"), join(folder, "2026-a")]);
    assert.deepEqual(await listRuns(join(folder, "none")), []);
  });

  it("of another tool is read by its tags alone", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "events.out.tfevents.1.h"), log(scalar(7, 0.5, "Loss/test")));
    const reader = await read(folder);
    assert.deepEqual(reader.tags(), ["Loss/test"]);
    const { status, step, steps, loss, startedAt, updatedAt } = reader.state();
    assert.deepEqual([status, step, steps, loss, startedAt, updatedAt], ["unknown", 7, null, null, 1e12 + 7000, 1e12 + 7000]);
    await assert.rejects(new RunReader(join(folder, "none")).poll(), /ENOENT/);
  });
});

describe("several logs are one run", () => {
  it("a later one wins where they overlap", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "events.out.tfevents.100.h"), log(scalar(1, 1), scalar(2, 2), scalar(3, 3), scalar(3, 30, "other")));
    writeFileSync(join(folder, "events.out.tfevents.200.h"), log(scalar(2, 20), scalar(4, 40)));
    assert.deepEqual(points(await read(folder)), [
      [1, 1],
      [2, 20],
      [4, 40],
    ]);
    assert.deepEqual(points(await read(folder), "other"), [[3, 30]]);
  });
  it("what is superseded goes even where the later one has nothing yet", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "events.out.tfevents.100.h"), log(scalar(1, 1), scalar(2, 2), scalar(3, 3), scalar(3, 3, "other")));
    writeFileSync(join(folder, "events.out.tfevents.200.h"), log(encodeSessionStart(1e9, 2)));
    const reader = await read(folder);
    assert.deepEqual(points(reader), [[1, 1]]);
    assert.deepEqual(points(reader, "other"), []);
    assert.equal(reader.state().step, 1);
  });
  it("an earlier one that grows late does not bring back what was superseded", async (t) => {
    const folder = temporaryFolder(t);
    const early = join(folder, "events.out.tfevents.100.h");
    writeFileSync(early, log(scalar(1, 1)));
    writeFileSync(join(folder, "events.out.tfevents.200.h"), log(scalar(3, 30)));
    const reader = await read(folder);
    appendFileSync(early, Buffer.concat([scalar(2, 2), scalar(4, 4)]));
    await reader.poll();
    assert.deepEqual(points(reader), [
      [1, 1],
      [2, 2],
      [3, 30],
    ]);
  });
  it("steps out of order within one log are put in order, and a repeated one is replaced", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "events.out.tfevents.100.h"), log(...[5, 1, 3, 5, 2].map((step, i) => scalar(step, i))));
    assert.deepEqual(points(await read(folder)), [
      [1, 1],
      [2, 4],
      [3, 2],
      [5, 3],
    ]);
  });
});

describe("damage", () => {
  it("is told with file and byte, once; the rest is read", async (t) => {
    const folder = temporaryFolder(t);
    const file = join(folder, "events.out.tfevents.100.h");
    const content = log(scalar(1, 1), scalar(2, 2), scalar(3, 3));
    content[log(scalar(1, 1)).length + 14]! ^= 1;
    writeFileSync(file, content);
    writeFileSync(join(folder, "events.jsonl"), '{"type":"resumed","step":1,"time":"2026-01-01T00:00:00Z"}\nnot json\n{"type":"resu');
    writeFileSync(join(folder, "run.json"), "{");
    const reader = await read(folder);
    await reader.poll();
    assert.deepEqual(points(reader), [
      [1, 1],
      [3, 3],
    ]);
    assert.equal(reader.events.length, 1);
    assert.equal(reader.warnings.length, 3);
    assert.match(reader.warnings[0]!, /^run\.json: not JSON/);
    assert.equal(
      reader.warnings[1],
      `events.out.tfevents.100.h, byte ${log(scalar(1, 1)).length}: a record of 32 bytes does not match its checksum`,
    );
    assert.match(reader.warnings[2]!, /^events\.jsonl, line 2: not JSON/);
  });
  it("a field of negative length is damage, not an endless loop", async (t) => {
    const folder = temporaryFolder(t);
    const backwards = frameRecord(Uint8Array.of(0x1a, 0xf5, ...new Array<number>(8).fill(0xff), 0x01));
    assert.equal(backwards.length, 27);
    writeFileSync(join(folder, "events.out.tfevents.100.h"), Buffer.concat([backwards, scalar(1, 5)]));
    const reader = await read(folder);
    assert.deepEqual(reader.warnings, ["events.out.tfevents.100.h, byte 0: not a TensorBoard event: a field claims -11 bytes"]);
    assert.deepEqual(points(reader), [[1, 5]]);
  });
  it("a time that is none costs no value", async (t) => {
    const folder = temporaryFolder(t);
    const at = (time: number, step: number): Uint8Array => encodeValues(time, step, [{ tag: "loss/train", shape: "scalar", value: step }]);
    writeFileSync(join(folder, "events.out.tfevents.100.h"), log(at(1e9, 1), at(NaN, 2), at(1e300, 3), at(1e9 + 5, 4)));
    const reader = await read(folder);
    assert.deepEqual([...reader.series("loss/train")!.times], [1e9, 1e9, 1e9, 1e9 + 5]);
    assert.deepEqual(reader.warnings, ["events.out.tfevents.100.h: it has records without a time; that of the record before is taken"]);
  });
  it("a log that shrinks keeps what was read", async (t) => {
    const folder = temporaryFolder(t);
    const file = join(folder, "events.out.tfevents.100.h");
    writeFileSync(file, log(scalar(1, 1), scalar(2, 2)));
    const reader = await read(folder);
    writeFileSync(file, log());
    await reader.poll();
    await reader.poll();
    assert.deepEqual(points(reader), [
      [1, 1],
      [2, 2],
    ]);
    assert.equal(reader.warnings.length, 1);
    assert.match(reader.warnings[0]!, /is now shorter/);
  });
});

describe("a large run", () => {
  it("is read without blocking for long", async (t) => {
    const folder = temporaryFolder(t);
    const tags = Array.from({ length: 100 }, (_, i) => `condition_number/update/blocks.${i}`);
    const values = (step: number) =>
      encodeValues(
        1e9 + step,
        step,
        tags.map((tag) => ({ tag, shape: "scalar" as const, value: step })),
      );
    writeFileSync(join(folder, "events.out.tfevents.100.h"), log(...Array.from({ length: 4000 }, (_, i) => values(i + 1))));
    const reader = new RunReader(folder);
    // Time of this process's own, of which a busy machine takes none away: from one turn of the event loop to the next.
    const used = (): number => process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000;
    let blocked = 0;
    let turns = 0;
    let last = used();
    let running = true;
    const turn = (): void => {
      blocked = Math.max(blocked, used() - last);
      last = used();
      turns++;
      if (running) setImmediate(turn);
    };
    turn();
    await reader.poll();
    running = false;
    assert.equal(reader.series(tags[99]!)!.values.length, 4000);
    t.diagnostic(`400,000 values in ${turns} turns of the event loop, the longest of ${blocked.toFixed(1)} ms`);
    assert.ok(blocked < 50, `blocked for ${blocked} ms`);
  });
});
