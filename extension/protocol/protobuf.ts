/** As much of the protocol-buffer wire format as TensorBoard's messages need (protobuf.dev/programming-guides/encoding). */

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

export class MessageWriter {
  private buffer = new Uint8Array(256);
  private view = new DataView(this.buffer.buffer);
  private length = 0;

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

/** Throws on a message that ends in the middle of a field or uses an unknown wire type. */
export function* fields(message: Uint8Array): Generator<Field> {
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
    if (at + length > message.length) throw new Error("message ends within a field");
    at += length;
    return message.subarray(at - length, at);
  };
  while (at < message.length) {
    const key = varint();
    const number = Math.floor(key / 8);
    const type = key % 8;
    if (type === VARINT) yield { number, type, value: varint(), data: none };
    else if (type === FIXED64) yield { number, type, value: 0, data: take(8) };
    else if (type === FIXED32) yield { number, type, value: 0, data: take(4) };
    else if (type === BYTES) yield { number, type, value: 0, data: take(varint()) };
    else throw new Error(`unknown wire type ${type}`);
  }
}

const view = (data: Uint8Array): DataView => new DataView(data.buffer, data.byteOffset, data.byteLength);

export const float64 = (data: Uint8Array): number => view(data).getFloat64(0, true);
export const float32 = (data: Uint8Array): number => view(data).getFloat32(0, true);
export const text = (data: Uint8Array): string => new TextDecoder().decode(data);

/** A repeated double or float: packed, or one of its single values. */
export function floats(data: Uint8Array, bytes: 4 | 8): Float64Array {
  const from = view(data);
  const values = new Float64Array(Math.floor(data.length / bytes));
  for (let i = 0; i < values.length; i++) values[i] = bytes === 8 ? from.getFloat64(i * 8, true) : from.getFloat32(i * 4, true);
  return values;
}
