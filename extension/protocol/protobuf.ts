/** As much of the protocol-buffer wire format as TensorBoard's messages need (protobuf.dev/programming-guides/encoding). */

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

export class MessageWriter {
  private buffer = new Uint8Array(256);
  private view = new DataView(this.buffer.buffer);
  private length = 0;

  /** Bytes so far. */
  get size(): number {
    return this.length;
  }

  finish(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }

  double(field: number, value: number): void {
    this.key(field, FIXED64);
    this.reserve(8);
    this.view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  float(field: number, value: number): void {
    this.key(field, FIXED32);
    this.reserve(4);
    this.view.setFloat32(this.length, value, true);
    this.length += 4;
  }

  /** A non-negative integer up to 2^53. */
  integer(field: number, value: number): void {
    this.key(field, VARINT);
    this.varint(value);
  }

  bytes(field: number, value: Uint8Array): void {
    this.key(field, BYTES);
    this.varint(value.length);
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  string(field: number, value: string): void {
    this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, write: (message: MessageWriter) => void): void {
    const message = new MessageWriter();
    write(message);
    this.bytes(field, message.buffer.subarray(0, message.length));
  }

  packedDoubles(field: number, values: Float64Array): void {
    this.key(field, BYTES);
    this.varint(values.length * 8);
    this.reserve(values.length * 8);
    for (const value of values) {
      this.view.setFloat64(this.length, value, true);
      this.length += 8;
    }
  }

  private key(field: number, type: number): void {
    this.varint(field * 8 + type);
  }

  private varint(value: number): void {
    this.reserve(10);
    while (value >= 0x80) {
      this.buffer[this.length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.buffer[this.length++] = value;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(this.buffer.length * 2, this.length + bytes));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
    this.view = new DataView(larger.buffer);
  }
}

/** One field of a message: `value` for numbers of a varint, `data` for the bytes of the others. */
export interface Field {
  number: number;
  type: number;
  value: number;
  data: Uint8Array;
}

const none = new Uint8Array(0);

/**
 * More fields than any message has that is read in one piece, and no more than are read in a few milliseconds: lists of numbers are
 * packed into one, and those of a step's summary are read one by one.
 */
const MOST_FIELDS = 5000;
/** A key holds 29 bits of field number and 3 of wire type. */
const MOST_KEY = 2 ** 32 - 1;

/**
 * Every field takes at least one byte further. Throws on a message that ends in the middle of a field, uses an unknown wire
 * type or field number 0, or has more than `most` fields.
 */
export function* fields(message: Uint8Array, most = MOST_FIELDS): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    let begin = at;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = message[at++];
      if (byte === undefined) throw new Error("message ends within a number");
      if (at - begin > 10) throw new Error("a number has more than ten bytes");
      value += (byte & 0x7f) * scale;
      if (byte >= 0x80) continue;
      if (at - begin <= 7) return value;
      // Past 49 bits, and for negative numbers (ten bytes), a double is not exact.
      let exact = 0n;
      for (let shift = 0n; begin < at; shift += 7n) exact |= BigInt(message[begin++]! & 0x7f) << shift;
      return Number(BigInt.asIntN(64, exact));
    }
  };
  const take = (length: number): Uint8Array => {
    // A length is a varint, which may be negative: it would lead back to bytes that were read.
    if (length < 0) throw new Error(`a field claims ${length} bytes`);
    if (length > message.length - at) throw new Error("message ends within a field");
    at += length;
    return message.subarray(at - length, at);
  };
  for (let count = 0; at < message.length; count++) {
    if (count === most) throw new Error(`a message has more than ${most} fields`);
    const key = varint();
    if (key < 8 || key > MOST_KEY) throw new Error(`${key} is no key of a field`);
    const number = Math.floor(key / 8);
    const type = key % 8;
    if (type === VARINT) yield { number, type, value: varint(), data: none };
    else if (type === FIXED64) yield { number, type, value: 0, data: take(8) };
    else if (type === FIXED32) yield { number, type, value: 0, data: take(4) };
    else if (type === BYTES) yield { number, type, value: 0, data: take(varint()) };
    else throw new Error(`unknown wire type ${type}`);
  }
}

const decoder = new TextDecoder();

export const text = (data: Uint8Array): string => decoder.decode(data);

/** Throws when there are not exactly as many bytes as a number of this size takes. */
export function float(data: Uint8Array, bytes: 4 | 8): number {
  if (data.length !== bytes) throw new Error(`expected a number of ${bytes} bytes, received ${data.length}`);
  const view = new DataView(data.buffer, data.byteOffset, bytes);
  return bytes === 8 ? view.getFloat64(0, true) : view.getFloat32(0, true);
}

/** A repeated double or float, packed or one of its single values, as a copy. Throws when they do not fill the bytes. */
export function floats(data: Uint8Array, bytes: 4 | 8): Float64Array {
  if (data.length % bytes !== 0) throw new Error(`expected numbers of ${bytes} bytes, received ${data.length} bytes`);
  // Aligned; little-endian, as every processor is that this runs on.
  const { buffer } = new Uint8Array(data);
  return bytes === 8 ? new Float64Array(buffer) : new Float64Array(new Float32Array(buffer));
}
