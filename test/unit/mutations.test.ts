/** Readers of bytes against bytes that nobody wrote: thousands of small changes to sound files, the same ones every time. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeSafetensors, parseSafetensors } from "../../extension/protocol/safetensors";
import { encodeFileVersion, encodeSessionStart, encodeValues, EventDecoder } from "../../extension/protocol/tfevents";
import { RecordReader } from "../../extension/protocol/tfrecord";

/** Mulberry32 (github.com/cprosche/mulberry32): the same numbers below `most` on every machine. */
function random(seed: number): (most: number) => number {
  return (most) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % most;
  };
}

/** Bytes that lengths, keys and numbers are made of. */
const TELLING = [0x00, 0x01, 0x07, 0x0a, 0x7f, 0x80, 0xff];

/** One to four changes: a byte set, a small negative number, a piece taken out, a piece repeated. */
function mutate(bytes: Uint8Array, below: (most: number) => number): Uint8Array {
  let changed = [...bytes];
  for (let n = 1 + below(4); n > 0; n--) {
    const at = below(changed.length + 1);
    const length = 1 + below(12);
    const kind = below(4);
    if (kind === 0) changed[at] = TELLING[below(TELLING.length)]!;
    else if (kind === 1) changed.splice(at, below(2) * length, 0x80 | below(128), ...new Array<number>(8).fill(0xff), 0x01);
    else if (kind === 2) changed.splice(at, length);
    else changed = [...changed.slice(0, at + length), ...changed.slice(at)];
  }
  return Uint8Array.from(changed);
}

const payloads = (log: Uint8Array): Uint8Array[] => {
  const reader = new RecordReader();
  reader.push(log);
  const found: Uint8Array[] = [];
  for (let item = reader.next(); item; item = reader.next()) if (item.kind === "record") found.push(item.data);
  return found;
};

const moments = { min: -1, max: 2, count: 8, sum: 3, sumSquares: 9 };
const log = Buffer.concat([
  encodeFileVersion(1e9),
  encodeValues(1e9, 1, [
    { tag: "loss/train", shape: "scalar", value: 2.5 },
    { tag: "h", shape: "histogram", value: { edges: Float64Array.of(-4, 0, 4), counts: Float64Array.of(3, 5), ...moments } },
    { tag: "v", shape: "vector", value: Float64Array.of(3, 1, 2) },
  ]),
  encodeSessionStart(1e9, 300),
]);

describe("changed bytes", () => {
  it("of events are read or refused, and more values never come out than bytes went in", () => {
    const below = random(1);
    let [read, refused] = [0, 0];
    for (const payload of payloads(log)) {
      for (let n = 0; n < 4000; n++) {
        const data = mutate(payload, below);
        const decoder = new EventDecoder();
        let values = 0;
        try {
          decoder.head(data);
          for (const value of decoder.values(data)) {
            values++;
            assert.ok(values <= data.length, "the reader goes in circles");
            if (value?.shape === "histogram") assert.equal(value.value.edges.length, value.value.counts.length + 1);
          }
          read++;
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
          refused++;
        }
      }
    }
    assert.ok(read > 1000 && refused > 1000, `${read} read, ${refused} refused`);
  });

  it("of a log's frames come to an end, whatever the pieces", () => {
    const below = random(2);
    for (let n = 0; n < 1500; n++) {
      const data = mutate(log, below);
      const reader = new RecordReader();
      let items = 0;
      for (let at = 0; at < data.length;) {
        const piece = 1 + below(200);
        reader.push(data.slice(at, at + piece));
        at += piece;
        for (let item = reader.next(); item; item = reader.next()) assert.ok(++items <= data.length, "the reader goes in circles");
      }
    }
  });

  it("of safetensors are read within the file or refused", () => {
    const file = encodeSafetensors([{ name: "w", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }], { step: "5" });
    const below = random(3);
    for (let n = 0; n < 4000; n++) {
      let tensors;
      try {
        tensors = parseSafetensors(mutate(file, below)).tensors;
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof RangeError), String(error));
        continue;
      }
      for (const { bytes, shape } of tensors.values()) assert.ok(bytes.length <= file.length * 2 && shape.length <= file.length);
    }
  });
});
