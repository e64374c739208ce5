/** TensorBoard's log format: checksums, framing, messages; every prefix and every flipped byte of a small log. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { crc32c } from "../../extension/protocol/crc32c";
import {
  encodeFileVersion,
  encodeSessionStart,
  encodeValues,
  EventDecoder,
  type EventHead,
  type LogValue,
} from "../../extension/protocol/tfevents";
import { MessageWriter } from "../../extension/protocol/protobuf";
import { frameRecord, RecordReader, type Item } from "../../extension/protocol/tfrecord";

const histogram: LogValue = {
  tag: "neuron_norm/update/w",
  shape: "histogram",
  value: {
    edges: Float64Array.of(-Infinity, -4, 0, 4, Infinity),
    counts: Float64Array.of(0, 3, 5, 0),
    min: -1,
    max: 2,
    count: 8,
    sum: 3,
    sumSquares: 9,
  },
};
const records = [
  encodeFileVersion(1e9),
  encodeValues(1e9 + 1, 1, [{ tag: "loss/train", shape: "scalar", value: 2.5 }, histogram]),
  encodeValues(1e9 + 2, 2, [{ tag: "condition_number/update/ü", shape: "scalar", value: Infinity }]),
  encodeSessionStart(1e9 + 3, 300),
  encodeValues(1e9 + 4, 2 ** 40, [{ tag: "spectrum/update/w", shape: "vector", value: Float64Array.of(3, 1e-9, NaN) }]),
];
const log = Buffer.concat(records);
const begins = records.map((_, i) => records.slice(0, i).reduce((sum, record) => sum + record.length, 0));

/** Everything that a reader says of these pieces; it must come to an end. */
function drain(...pieces: Uint8Array[]): Item[] {
  const reader = new RecordReader();
  const items: Item[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let item = reader.next(); item; item = reader.next()) {
      items.push(item.kind === "record" ? { ...item, data: item.data.slice() } : item);
      assert.ok(items.length < 1000, "the reader loops");
    }
  }
  return items;
}
type LogEvent = EventHead & { values: LogValue[] };
const decode = (data: Uint8Array, decoder = new EventDecoder()): LogEvent => ({
  ...decoder.head(data),
  values: [...decoder.values(data)].filter((value) => value !== undefined),
});
const decodeAll = (items: Item[]): LogEvent[] => {
  const decoder = new EventDecoder();
  return items.flatMap((item) => (item.kind === "record" ? [decode(item.data, decoder)] : []));
};

describe("CRC-32C", () => {
  it("gives the check values of RFC 3720, B.4", () => {
    assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43);
  });
});

describe("a log that was written", () => {
  it("is read as it was meant", () => {
    const [version, first, second, session, last] = decodeAll(drain(log)) as [LogEvent, LogEvent, LogEvent, LogEvent, LogEvent];
    assert.deepEqual([version.fileVersion, version.wallTime], ["brain.Event:2", 1e9]);
    assert.deepEqual(first.values[0], { tag: "loss/train", shape: "scalar", value: 2.5 });
    const read = first.values[1];
    assert.ok(read?.shape === "histogram");
    // Under- and overflow end where the data does, or are empty where it does not reach them.
    assert.deepEqual([...read.value.edges], [-4, -4, 0, 4, 4]);
    assert.deepEqual([...read.value.counts], [0, 3, 5, 0]);
    assert.deepEqual({ ...read.value, edges: 0, counts: 0 }, { edges: 0, counts: 0, min: -1, max: 2, count: 8, sum: 3, sumSquares: 9 });
    assert.deepEqual(second.values, [{ tag: "condition_number/update/ü", shape: "scalar", value: Infinity }]);
    assert.deepEqual([session.sessionStart, session.step, first.sessionStart], [true, 300, false]);
    assert.equal(last.step, 2 ** 40);
    assert.deepEqual(last.values, [{ tag: "spectrum/update/w", shape: "vector", value: Float64Array.of(3, 1e-9, NaN) }]);
  });

  it("has finite and increasing bucket limits, as TensorBoard expects", () => {
    const limits = (value: LogValue & { shape: "histogram" }): number[] => {
      const [event] = decodeAll(drain(encodeValues(0, 0, [value])));
      const read = event!.values[0]!;
      assert.ok(read.shape === "histogram");
      return [...read.value.edges];
    };
    assert.deepEqual(limits({ ...histogram, value: { ...histogram.value, max: 7, min: -9 } }), [-9, -4, 0, 4, 7]);
  });

  it("is read in pieces of any size", () => {
    const whole = decodeAll(drain(log));
    for (const size of [1, 2, 7, 64]) {
      const pieces = Array.from({ length: Math.ceil(log.length / size) }, (_, i) => log.subarray(i * size, (i + 1) * size));
      assert.deepEqual(decodeAll(drain(...pieces)), whole, `pieces of ${size}`);
    }
  });

  it("every prefix of it is a log: a torn record is not yet there, and no damage", () => {
    for (let end = 0; end <= log.length; end++) {
      const items = drain(log.subarray(0, end));
      const complete = begins.filter((begin, i) => begin + records[i]!.length <= end).length;
      assert.equal(items.length, complete, `prefix of ${end} bytes`);
      assert.ok(items.every((item) => item.kind === "record"));
      assert.equal(drain(log.subarray(0, end), log.subarray(end)).length, records.length, `continued after ${end} bytes`);
    }
  });

  it("every flipped byte of it costs one record and is told with the record's byte", () => {
    for (let at = 0; at < log.length; at++) {
      const damaged = Buffer.from(log);
      damaged[at]! ^= 0x40;
      const items = drain(damaged).filter((item) => item.kind !== "scanning");
      const hit = begins.findLastIndex((begin) => begin <= at);
      assert.deepEqual(
        items.filter((item) => item.kind === "damage").map((item) => item.offset),
        [begins[hit]],
        `byte ${at}`,
      );
      const rest = records.filter((_, i) => i !== hit).map((_, i) => begins[i < hit ? i : i + 1]);
      assert.deepEqual(
        items.filter((item) => item.kind === "record").map((item) => item.offset),
        rest,
        `byte ${at}`,
      );
    }
  });

  it("garbage of a megabyte is passed in short slices, and what follows is read", () => {
    const garbage = new Uint8Array(1 << 20).map((_, i) => (i * 2654435761) >>> 13);
    const items = drain(Buffer.concat([records[0]!, garbage, records[1]!]));
    assert.equal(items.filter((item) => item.kind === "record").length, 2);
    assert.equal(items.filter((item) => item.kind === "damage").length, 1);
    assert.ok(items.filter((item) => item.kind === "scanning").length > 10);
  });
});

describe("logs of others", () => {
  const event = (write: (value: MessageWriter) => void): Uint8Array => {
    const message = new MessageWriter();
    message.integer(2, 5);
    message.message(5, (summary) => summary.message(1, write));
    return message.finish();
  };
  const tensor = (value: MessageWriter, dimensions: number[], values: number[]): void =>
    value.message(8, (message) => {
      message.integer(1, 2);
      message.message(2, (shape) => dimensions.forEach((size) => shape.message(2, (dimension) => dimension.integer(1, size))));
      message.bytes(4, new Uint8Array(Float64Array.from(values).buffer));
    });

  it("TensorFlow 2's scalars and histograms are tensors", () => {
    const decoder = new EventDecoder();
    const scalar = event((value) => {
      value.string(1, "loss");
      tensor(value, [], [0.5]);
    });
    assert.deepEqual(decode(scalar, decoder).values, [{ tag: "loss", shape: "scalar", value: 0.5 }]);
    const triples = (plugin: boolean) =>
      event((value) => {
        value.string(1, "weights");
        if (plugin) value.message(9, (metadata) => metadata.message(1, (data) => data.string(1, "histograms")));
        tensor(value, [2, 3], [-1, 0, 4, 0, 2, 6]);
      });
    assert.deepEqual(decode(triples(false), decoder).values, [], "what a matrix means is not guessed at");
    // Said with the first value only.
    for (const plugin of [true, false]) {
      const [read] = decode(triples(plugin), decoder).values;
      assert.ok(read?.shape === "histogram");
      assert.deepEqual([...read.value.edges, ...read.value.counts, read.value.count], [-1, 0, 2, 4, 6, 10]);
      assert.ok(Number.isNaN(read.value.sum));
    }
  });

  it("PyTorch's outermost buckets reach to ±1.8e308 and are drawn where the data ends", () => {
    const data = event((value) => {
      value.string(1, "w");
      value.message(5, (histo) => {
        histo.double(1, -2);
        histo.double(2, 3);
        histo.double(3, 10);
        histo.packedDoubles(6, Float64Array.of(-1, 1, 1.7976931348623157e308));
        histo.packedDoubles(7, Float64Array.of(4, 5, 1));
      });
    });
    const [read] = decode(data).values;
    assert.ok(read?.shape === "histogram");
    assert.deepEqual([...read.value.edges], [-2, -1, 1, 3]);
  });

  it("tensors of other types are passed over, whatever their bytes are", () => {
    const half = event((value) => {
      value.string(1, "half");
      value.message(8, (message) => {
        message.integer(1, 19);
        message.bytes(4, Uint8Array.of(0, 0x3c));
      });
    });
    assert.deepEqual(decode(half).values, []);
  });

  it("a negative step is read as such", () => {
    const bytes = [0x10, ...new Array<number>(9).fill(0xff), 0x01];
    assert.equal(decode(Uint8Array.from(bytes)).step, -1);
  });

  it("what is no event is an error, never a loop", () => {
    const negative = [...new Array<number>(9).fill(0xff), 0x01];
    for (const [bytes, message] of [
      [[0x0a, 0x7f], /ends within a field/],
      [[0x09, 1], /ends within a field/],
      [[0x07], /no key/],
      [[0x0f], /wire type 7/],
      [new Array<number>(12).fill(0xff), /ten bytes/],
      // A field of -1 bytes leads back to its own length, one of -11 to its key.
      [[0x1a, ...negative], /claims -1 bytes/],
      [[0x1a, 0xf5, ...negative.slice(1)], /claims -11 bytes/],
      [[0x2a, 11, 0x0a, ...negative], /claims -1 bytes/],
      // Field number 0, and -1 of a negative key: no message has them.
      [[0x00, 0x00], /0 is no key/],
      [[0xf8, ...negative.slice(1), 0x00], /-8 is no key/],
    ] as const) {
      assert.throws(() => decode(Uint8Array.from(bytes)), message, bytes.join());
    }
    assert.equal(drain(frameRecord(new Uint8Array(0))).length, 1);
  });
});
