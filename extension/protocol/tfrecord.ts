/**
 * TFRecord framing: uint64 length, masked CRC-32C of the length, data, masked CRC-32C of the data; little-endian.
 *
 * The reader takes a file in pieces of any size. An incomplete record is "not yet"; a damaged one is reported with its
 * byte and passed over: by its length where the length is sound, else by looking for the next sound record.
 */
import { maskedCrc32c } from "./crc32c";

const HEADER = 12;
const FOOTER = 4;
/** How far `next` looks for a sound record before it hands control back, so that no reader blocks for long. */
const SCAN = 1 << 15;

export function frameRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEADER + data.length + FOOTER);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(record.subarray(0, 8)), true);
  record.set(data, HEADER);
  view.setUint32(HEADER + data.length, maskedCrc32c(data), true);
  return record;
}

export type Item =
  | { kind: "record"; offset: number; data: Uint8Array }
  | { kind: "damage"; offset: number; what: string }
  /** Still looking for a sound record: call again. */
  | { kind: "scanning" };

export class RecordReader {
  private buffer: Uint8Array = new Uint8Array(0);
  /** Of the next unread byte, in the buffer. */
  private at = 0;
  /** Of the buffer's first byte, in the file. */
  private base = 0;
  private scanning = false;

  /** Bytes of the file handed in so far: where to read on. */
  get received(): number {
    return this.base + this.buffer.length;
  }

  push(chunk: Uint8Array): void {
    const rest = this.buffer.subarray(this.at);
    this.base += this.at;
    this.at = 0;
    if (rest.length === 0) {
      this.buffer = chunk;
      return;
    }
    this.buffer = new Uint8Array(rest.length + chunk.length);
    this.buffer.set(rest);
    this.buffer.set(chunk, rest.length);
  }

  /** Undefined: nothing more until the next `push`. A record's data is a view into what was pushed. */
  next(): Item | undefined {
    const end = this.scanning ? Math.min(this.buffer.length, this.at + SCAN) : this.buffer.length;
    for (; this.at + HEADER <= end; this.at++) {
      const length = this.lengthAt(this.at);
      if (length === undefined) {
        if (!this.scanning) {
          this.scanning = true;
          return { kind: "damage", offset: this.base + this.at++, what: "a record's length does not match its checksum" };
        }
        continue;
      }
      if (this.at + HEADER + length + FOOTER > this.buffer.length) return undefined;
      return this.take(length);
    }
    return this.scanning && end < this.buffer.length ? { kind: "scanning" } : undefined;
  }

  private lengthAt(at: number): number | undefined {
    const view = new DataView(this.buffer.buffer, this.buffer.byteOffset + at, HEADER);
    if (view.getUint32(8, true) !== maskedCrc32c(this.buffer.subarray(at, at + 8))) return undefined;
    return Number(view.getBigUint64(0, true));
  }

  private take(length: number): Item {
    const offset = this.base + this.at;
    const data = this.buffer.subarray(this.at + HEADER, this.at + HEADER + length);
    const view = new DataView(this.buffer.buffer, this.buffer.byteOffset + this.at + HEADER + length, FOOTER);
    this.at += HEADER + length + FOOTER;
    this.scanning = false;
    if (view.getUint32(0, true) !== maskedCrc32c(data)) {
      return { kind: "damage", offset, what: `a record of ${length} bytes does not match its checksum` };
    }
    return { kind: "record", offset, data };
  }
}
