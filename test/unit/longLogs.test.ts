/** Long logs: each byte once, in short slices; records that are too long, and files that are none. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { crc32c, masked } from "../../extension/protocol/crc32c";
import { encodeFileVersion, encodeValues, EventDecoder, type LogValue } from "../../extension/protocol/tfevents";
import { frameRecord, MOST_RECORD, RecordReader, type Item } from "../../extension/protocol/tfrecord";

describe("a long log", () => {
  const reads = (data: Uint8Array, piece = 1 << 17): { items: Item[]; reader: RecordReader; blocked: number } => {
    const reader = new RecordReader();
    const items: Item[] = [];
    let blocked = 0;
    for (let at = 0; at < data.length; at += piece) {
      const begin = performance.now();
      reader.push(data.subarray(at, at + piece));
      for (let item = reader.next(); item; item = reader.next()) {
        if (item.kind !== "scanning") items.push(item.kind === "record" ? { ...item, data: item.data.slice() } : item);
      }
      blocked = Math.max(blocked, performance.now() - begin);
    }
    return { items, reader, blocked };
  };

  it("of one record of 30 MB is read in short slices, each byte once", (t) => {
    const data = new Uint8Array(30e6).map((_, i) => i);
    const framed = frameRecord(data);
    const { items, blocked } = reads(framed);
    assert.equal(items.length, 1);
    assert.ok(items[0]!.kind === "record" && Buffer.compare(items[0]!.data, data) === 0);
    t.diagnostic(`the longest slice took ${blocked.toFixed(1)} ms`);
    const begin = performance.now();
    reads(framed, 1 << 12);
    // 7325 pieces: copying what is there at each of them would move 110 GB.
    assert.ok(performance.now() - begin < 2000, `${performance.now() - begin} ms in pieces of 4 KiB`);
  });
  it("with a record that is longer than any that is read goes on after it, without waiting for it in memory", () => {
    const before = encodeFileVersion(1);
    const header = frameRecord(new Uint8Array(0)).slice(0, 12);
    const claim = (length: number): Uint8Array => {
      const long = header.slice();
      new DataView(long.buffer).setBigUint64(0, BigInt(length), true);
      new DataView(long.buffer).setUint32(8, masked(crc32c(long.subarray(0, 8))), true);
      return long;
    };
    const long = MOST_RECORD + 1;
    const { items, reader } = reads(Buffer.concat([before, claim(long)]));
    assert.deepEqual(
      items.map((item) => [item.kind, item.kind === "damage" && item.what]),
      [
        ["record", false],
        ["damage", `a record of ${long} bytes is passed over: at most ${MOST_RECORD} are read`],
      ],
    );
    assert.equal(reader.received, before.length + 12 + long + 4);
    reader.push(encodeFileVersion(2));
    assert.equal(reader.next()?.kind, "record");
    assert.equal(reads(claim(2 ** 60)).reader.received, 12 + 2 ** 60 + 4);
  });
  it("is read from pieces that are lent: another piece may take the same memory", () => {
    const sizes = [5, 70_000, 3, 2_000_000, 8, 131_000, 131_072, 1];
    const log = Buffer.concat(sizes.map((size) => frameRecord(new Uint8Array(size).fill(size % 251))));
    const lent = new Uint8Array(1 << 17);
    const reader = new RecordReader();
    const found: Item[] = [];
    for (let at = 0; at < log.length; at += lent.length) {
      const length = log.copy(lent, 0, at, at + lent.length);
      reader.push(lent.subarray(0, length));
      for (let item = reader.next(); item; item = reader.next())
        found.push(item.kind === "record" ? { ...item, data: item.data.slice() } : item);
      lent.fill(0xff);
      // As between two looks at a file.
      if (at % 3 === 0) reader.settle();
    }
    assert.deepEqual(
      found.map((item) => item.kind === "record" && [item.data.length, item.data.every((byte) => byte === item.data.length % 251)]),
      sizes.map((size) => [size, true]),
    );
  });
  it("takes memory for what is not yet read of it, and gives it back", () => {
    const bytes = (): number => process.memoryUsage().rss;
    const framed = frameRecord(new Uint8Array(30e6).fill(1));
    const reader = new RecordReader();
    const before = bytes();
    const piece = 1 << 17;
    for (let at = 0; at < framed.length; at += piece) {
      reader.push(framed.subarray(at, at + piece));
      // A record's copies would be several times as much.
      assert.ok(bytes() - before < 45e6, `${bytes() - before} bytes`);
      if (at + piece < framed.length) assert.equal(reader.next(), undefined);
    }
    assert.equal(reader.next()?.kind, "record");
    const most = bytes();
    reader.settle();
    assert.ok(most - bytes() > 25e6, `it gave back ${most - bytes()} bytes`);
  });
  it("of one message of very many fields is refused before it holds anyone", () => {
    const data = new Uint8Array(30e6).fill(0x12);
    const begin = process.cpuUsage();
    assert.throws(() => new EventDecoder().head(data), /a message has more than 5000 fields/);
    const { user } = process.cpuUsage(begin);
    assert.ok(user < 20_000, `it took ${user} µs`);
  });
  it("of zeros is given up", () => {
    const { items } = reads(new Uint8Array(17 << 20), 1 << 20);
    assert.deepEqual([items[0]!.kind, items[1]!.kind], ["damage", "hopeless"]);
  });
  it("of very many values a step is written as several records", () => {
    const values = Array.from({ length: 300 }, (_, i): LogValue => ({
      tag: `v/${i}`,
      shape: "vector",
      value: new Float64Array(1000).fill(i),
    }));
    const { items } = reads(encodeValues(5, 6, values));
    const decoder = new EventDecoder();
    const payloads = items.flatMap((item) => (item.kind === "record" ? [item.data] : []));
    assert.deepEqual(
      payloads.map((data) => decoder.head(data)),
      new Array(3).fill({ wallTime: 5, step: 6, fileVersion: null, sessionStart: false }),
    );
    assert.deepEqual(
      payloads.flatMap((data) => [...decoder.values(data)]),
      values,
    );
    assert.equal(reads(encodeValues(5, 6, [])).items.length, 1);
  });
});
