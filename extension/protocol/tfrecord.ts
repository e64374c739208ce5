/**
 * TFRecord framing: uint64 length, masked CRC-32C of the length, data, masked CRC-32C of the data; little-endian.
 *
 * The reader takes a file in pieces of any size. An incomplete record is "not yet"; a damaged one is reported with its
 * byte and passed over: by its length where the length is sound, else by looking for the next sound record, as far as
 * there is hope. No call works for long: what a record's bytes cost is paid as they come.
 */
import { crc32c, masked } from "./crc32c";

const HEADER = 12;
const FOOTER = 4;
/** How far `next` looks for a sound record before it hands control back. */
const SCAN = 1 << 15;
/** How far it looks in all: a file without a sound record for so long (a hole, a disk's image) holds none. */
const HOPE = 1 << 24;
/** Bytes of the longest record that is kept in memory to be read; a graph or a video of another tool may be longer. */
export const MOST_RECORD = 1 << 25;
/** Bytes of it, and of the piece that completes it. */
const MOST_KEPT = HEADER + MOST_RECORD + FOOTER + (1 << 20);
/** Bytes that are not worth giving back while records are read. */
const SPARE = 1 << 20;
const NOTHING = new Uint8Array(0);

export function frameRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEADER + data.length + FOOTER);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(crc32c(record.subarray(0, 8))), true);
  record.set(data, HEADER);
  view.setUint32(HEADER + data.length, masked(crc32c(data)), true);
  return record;
}

export type Item =
  | { kind: "record"; offset: number; data: Uint8Array }
  | { kind: "damage"; offset: number; what: string }
  /** Still looking for a sound record: call again. */
  | { kind: "scanning" }
  /** There is no use in reading on: said once, and nothing after it. */
  | { kind: "hopeless"; offset: number; what: string };

export class RecordReader {
  /** What is looked at: a chunk that was lent, or what is kept here of records of which more is to come. */
  private buffer: Uint8Array = new Uint8Array(0);
  private view = new DataView(this.buffer.buffer);
  /** Grows where it is, and gives memory back at once when it shrinks: that of other buffers stays until garbage is collected. */
  private kept: ArrayBuffer | undefined;
  /** Of the next unread byte, in the buffer, and where what was pushed ends. */
  private at = 0;
  private end = 0;
  /** Of the buffer's first byte, in the file. */
  private base = 0;
  /** Where the search for a sound record began, in the file. */
  private lost: number | undefined;
  /** Checksum of the first `summed` bytes of the record at `at`. */
  private sum = 0;
  private summed = 0;

  /** Where in the file to read on. */
  get received(): number {
    return this.base + this.end;
  }

  /** The chunk is lent until `next` has nothing more. */
  push(chunk: Uint8Array): void {
    const rest = this.end - this.at;
    if (rest === 0) this.lookAt(chunk);
    else this.append(rest, chunk);
  }

  private append(rest: number, chunk: Uint8Array): void {
    const length = rest + chunk.length;
    const before = this.kept;
    if (!before || length > before.maxByteLength) this.kept = new ArrayBuffer(length, { maxByteLength: Math.max(MOST_KEPT, length) });
    const kept = this.kept!;
    if (kept.byteLength < length) kept.resize(length);
    // Here or elsewhere: copied as if there were another one between.
    new Uint8Array(kept).set(this.buffer.subarray(this.at, this.end));
    if (kept !== before) before?.resize(0);
    if (kept.byteLength > length + SPARE) kept.resize(length);
    const buffer = new Uint8Array(kept);
    buffer.set(chunk, rest);
    this.lookAt(buffer);
    this.end = length;
  }

  private lookAt(buffer: Uint8Array): void {
    this.base += this.at;
    this.at = 0;
    this.end = buffer.length;
    this.buffer = buffer;
    this.view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }

  /** No more comes for now: keeps no more memory than what was pushed and not read takes. */
  settle(): void {
    if (!this.kept) return;
    const rest = this.end - this.at;
    if (rest > 0) this.append(rest, NOTHING);
    else this.lookAt(NOTHING);
    this.kept.resize(rest);
    if (rest === 0) this.kept = undefined;
  }

  /** Undefined: nothing more until the next `push`. A record's data is a view that is good until the next call. */
  next(): Item | undefined {
    const item = this.find();
    // What was lent may be filled with something else from now on.
    if (!item && this.buffer.buffer !== this.kept) this.lookAt(this.buffer.slice(this.at, this.end));
    return item;
  }

  private find(): Item | undefined {
    const stop = Math.min(this.end, this.at + SCAN);
    for (; this.at + HEADER <= stop; this.at++) {
      const length = this.lengthAt(this.at);
      if (length !== undefined) return this.take(length);
      const offset = this.base + this.at;
      if (this.lost === undefined) {
        this.lost = offset;
        this.at++;
        return { kind: "damage", offset, what: "a record's length does not match its checksum" };
      }
      if (offset - this.lost > HOPE) {
        this.skip(Infinity);
        return { kind: "hopeless", offset, what: `no sound record in the ${HOPE} bytes before; the rest is left unread` };
      }
    }
    return this.lost !== undefined && stop < this.end ? { kind: "scanning" } : undefined;
  }

  private lengthAt(at: number): number | undefined {
    if (this.view.getUint32(at + 8, true) !== masked(crc32c(this.buffer, 0, at, at + 8))) return undefined;
    return this.view.getUint32(at, true) + this.view.getUint32(at + 4, true) * 2 ** 32;
  }

  /** Undefined while bytes of the record are missing. */
  private take(length: number): Item | undefined {
    const offset = this.base + this.at;
    const begin = this.at + HEADER;
    if (length > MOST_RECORD) {
      this.skip(HEADER + length + FOOTER);
      return { kind: "damage", offset, what: `a record of ${length} bytes is passed over: at most ${MOST_RECORD} are read` };
    }
    const there = Math.min(length, this.end - begin);
    this.sum = crc32c(this.buffer, this.sum, begin + this.summed, begin + there);
    this.summed = there;
    if (begin + length + FOOTER > this.end) return undefined;
    const sound = this.view.getUint32(begin + length, true) === masked(this.sum);
    this.skip(HEADER + length + FOOTER);
    return sound
      ? { kind: "record", offset, data: this.buffer.subarray(begin, begin + length) }
      : { kind: "damage", offset, what: `a record of ${length} bytes does not match its checksum` };
  }

  /** Past these bytes, whether or not they are all there. */
  private skip(bytes: number): void {
    this.lost = undefined;
    this.sum = this.summed = 0;
    const next = this.at + bytes;
    this.at = Math.min(next, this.end);
    this.base += next - this.at;
  }
}
