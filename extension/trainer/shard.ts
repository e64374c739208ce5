/**
 * Token shards of llm.c and modded-nanogpt (`.bin`): 256 int32 of header (magic, version, token count), then the tokens,
 * little-endian. Checked when opened, read where needed.
 */
import { openSync, readSync } from "node:fs";
import { stat } from "node:fs/promises";
import { UserError } from "../runs/userError";

const HEADER = 1024;
/** magic → format: karpathy/llm.c dev/data/data_common.py (GPT-2 and Llama 3). */
const FORMATS = new Map([
  [20240520, { version: 1, bytes: 2, vocabulary: 50257 }],
  [20240801, { version: 7, bytes: 4, vocabulary: 128256 }],
]);

export interface Shard {
  file: string;
  vocabulary: number;
  length: number;
  /** Tokens [from, from + count) into `into` at `at`. */
  read(from: number, count: number, into: Int32Array, at: number): void;
}

export async function openShard(file: string): Promise<Shard> {
  const { size } = await stat(file);
  const descriptor = openSync(file, "r"); // for as long as the trainer lives
  const header = new Int32Array(HEADER / 4);
  if (readSync(descriptor, header, 0, HEADER, 0) < HEADER) {
    throw new UserError(
      `${file}: expected a token shard with a header of ${HEADER} bytes, the file has ${size}. Leave it out, or write it again.`,
    );
  }
  const [magic, version, length] = header as unknown as [number, number, number];
  const format = FORMATS.get(magic);
  if (!format) {
    throw new UserError(
      `${file}: expected a token shard (magic ${[...FORMATS.keys()].join(" or ")}), got magic ${magic}. Leave it out with data.exclude.`,
    );
  }
  if (version !== format.version)
    throw new UserError(`${file}: expected version ${format.version} of magic ${magic}, got ${version}. Write it again.`);
  const expected = HEADER + length * format.bytes;
  if (size !== expected) {
    throw new UserError(
      `${file}: ${length} tokens of ${format.bytes} bytes make ${expected} bytes, the file has ${size}. It was cut or damaged: fetch or write it again.`,
    );
  }
  return {
    file,
    vocabulary: format.vocabulary,
    length,
    read(from, count, into, at) {
      const buffer = Buffer.alloc(count * format.bytes);
      const got = readSync(descriptor, buffer, 0, buffer.length, HEADER + from * format.bytes);
      if (got < buffer.length)
        throw new UserError(
          `${file}: expected ${buffer.length} bytes at token ${from}, got ${got}. The file was shortened during the run.`,
        );
      for (let i = 0; i < count; i++) into[at + i] = format.bytes === 2 ? buffer.readUInt16LE(2 * i) : buffer.readInt32LE(4 * i);
    },
  };
}
