/** safetensors: what is written is read; what a header must not claim is refused. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeSafetensors, float32, parseHeader, parseSafetensors } from "../../extension/protocol/safetensors";

const tensors = [
  { name: "weight.ü", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, NaN) },
  { name: "empty", shape: [0, 4], data: new Float32Array(0) },
  { name: "one", shape: [], data: Float32Array.of(-0) },
];

describe("safetensors", () => {
  it("reads what it wrote", () => {
    const { metadata, tensors: read } = parseSafetensors(encodeSafetensors(tensors, { step: "5" }));
    assert.deepEqual(metadata, { step: "5" });
    for (const { name, shape, data } of tensors) {
      assert.deepEqual(read.get(name)?.shape, shape);
      assert.deepEqual(float32(read.get(name)!), data);
    }
  });

  it("refuses data that is not of its shape", () => {
    assert.throws(() => encodeSafetensors([{ name: "w", shape: [2], data: new Float32Array(3) }], {}), /w: expected 2 numbers/);
  });

  it("refuses every prefix", () => {
    const file = encodeSafetensors(tensors, {});
    for (let end = 0; end < file.length; end++) assert.throws(() => parseSafetensors(file.subarray(0, end)), Error, `${end} bytes`);
  });

  const header = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  const wrong: [string, unknown, RegExp][] = [
    ["a list", [], /not a JSON object/],
    ["an unknown type", { w: { dtype: "F33", shape: [1], data_offsets: [0, 4] } }, /unknown dtype "F33"/],
    ["a negative size", { w: { dtype: "F32", shape: [-1], data_offsets: [0, 4] } }, /non-negative/],
    ["a range that is too short", { w: { dtype: "F32", shape: [2], data_offsets: [0, 4] } }, /takes 8 bytes, its range has 4/],
    ["a range outside of the file", { w: { dtype: "F32", shape: [3], data_offsets: [0, 12] } }, /not within the file's 8/],
    ["a range that runs backwards", { w: { dtype: "F32", shape: [1], data_offsets: [8, 4] } }, /bytes 8 to 4/],
    [
      "ranges that overlap",
      { a: { dtype: "F32", shape: [1], data_offsets: [0, 4] }, b: { dtype: "I16", shape: [2], data_offsets: [2, 6] } },
      /a and b overlap/,
    ],
    ["metadata that is no text", { __metadata__: { step: 5 } }, /step is not a string/],
  ];
  for (const [what, value, message] of wrong) {
    it(`refuses ${what}`, () => assert.throws(() => parseHeader(header(value), 8), message));
  }

  it("refuses a header longer than the format allows", () => {
    const file = new Uint8Array(16);
    new DataView(file.buffer).setBigUint64(0, 2n ** 40n, true);
    assert.throws(() => parseSafetensors(file), /at most 100000000 bytes/);
  });
});
