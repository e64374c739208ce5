/**
 * The safetensors format (huggingface.co/docs/safetensors): uint64 header length, JSON header, tensors' bytes;
 * little-endian. Everything that a header claims is checked before it is believed.
 */

/** The format's own bound. */
export const MAX_HEADER = 100 * 1000 * 1000;
/** Bytes before the header. */
export const PREFIX = 8;

const SIZES: Record<string, number> = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

export interface TensorEntry {
  name: string;
  dtype: string;
  shape: number[];
  /** Bytes, from the end of the header. */
  begin: number;
  end: number;
}

export interface Header {
  metadata: Record<string, string>;
  tensors: TensorEntry[];
}

/** Prefix and header of fp32 tensors that follow in this order without gaps. Padded so that data is aligned to 8 bytes. */
export function encodeHeader(tensors: readonly { name: string; shape: number[] }[], metadata: Record<string, string>): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, shape } of tensors) {
    const end = offset + 4 * elements(shape);
    header[name] = { dtype: "F32", shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(PREFIX + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, PREFIX);
  return bytes;
}

/** A whole file of fp32 tensors. */
export function encodeSafetensors(
  tensors: readonly { name: string; shape: number[]; data: Float32Array }[],
  metadata: Record<string, string>,
): Uint8Array {
  const parts = [encodeHeader(tensors, metadata)];
  for (const { name, shape, data } of tensors) {
    if (data.length !== elements(shape)) throw new Error(`${name}: expected ${elements(shape)} numbers for [${shape}], got ${data.length}`);
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

/** The header's length from a file's first 8 bytes. Throws when the file cannot be a safetensors file. */
export function headerLength(prefix: Uint8Array, fileLength: number): number {
  if (prefix.length < PREFIX) throw new Error(`expected a safetensors file, got ${prefix.length} bytes`);
  const length = Number(new DataView(prefix.buffer, prefix.byteOffset, PREFIX).getBigUint64(0, true));
  if (length > MAX_HEADER) throw new Error(`expected a header of at most ${MAX_HEADER} bytes, the file claims ${length}`);
  if (PREFIX + length > fileLength) throw new Error(`the header claims ${length} bytes, the file has ${fileLength}`);
  return length;
}

/** `json`: the header without its prefix; `dataLength`: bytes after it. Throws, naming the tensor that is wrong. */
export function parseHeader(json: Uint8Array, dataLength: number): Header {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (error) {
    throw new Error(`the header is not JSON: ${(error as Error).message}`);
  }
  if (!isObject(header)) throw new Error("the header is not a JSON object");
  const metadata: Record<string, string> = {};
  const tensors: TensorEntry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") {
      if (!isObject(value)) throw new Error("__metadata__ is not an object");
      for (const [key, text] of Object.entries(value)) {
        if (typeof text !== "string") throw new Error(`__metadata__.${key} is not a string`);
        metadata[key] = text;
      }
    } else {
      tensors.push(parseEntry(name, value, dataLength));
    }
  }
  tensors.sort((a, b) => a.begin - b.begin || a.end - b.end);
  for (let i = 1; i < tensors.length; i++) {
    const [before, after] = [tensors[i - 1]!, tensors[i]!];
    if (after.begin < before.end) throw new Error(`${before.name} and ${after.name} overlap`);
  }
  return { metadata, tensors };
}

function parseEntry(name: string, value: unknown, dataLength: number): TensorEntry {
  if (!isObject(value)) throw new Error(`${name} is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  const size = typeof dtype === "string" ? SIZES[dtype] : undefined;
  if (size === undefined) throw new Error(`${name}: unknown dtype ${shown(dtype)}`);
  if (!isSizes(shape)) throw new Error(`${name}: expected a shape of non-negative integers, got ${shown(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2) throw new Error(`${name}: expected data_offsets [begin, end], got ${shown(offsets)}`);
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataLength) throw new Error(`${name}: bytes ${begin} to ${end} are not within the file's ${dataLength}`);
  if (elements(shape) * size !== end - begin) {
    throw new Error(`${name}: [${shape}] of ${dtype as string} takes ${elements(shape) * size} bytes, its range has ${end - begin}`);
  }
  return { name, dtype: dtype as string, shape, begin, end };
}

export interface Tensor {
  shape: number[];
  dtype: string;
  /** A view into the file. */
  bytes: Uint8Array;
}

/** A whole file in memory. */
export function parseSafetensors(file: Uint8Array): { metadata: Record<string, string>; tensors: Map<string, Tensor> } {
  const start = PREFIX + headerLength(file.subarray(0, PREFIX), file.length);
  const { metadata, tensors } = parseHeader(file.subarray(PREFIX, start), file.length - start);
  const views = tensors.map(({ name, shape, dtype, begin, end }): [string, Tensor] => [
    name,
    { shape, dtype, bytes: file.subarray(start + begin, start + end) },
  ]);
  return { metadata, tensors: new Map(views) };
}

/** Copies; throws when the tensor is of another type. */
export function float32(tensor: Tensor): Float32Array {
  expectType(tensor, "F32");
  return new Float32Array(new Uint8Array(tensor.bytes).buffer);
}

/** Copies; throws when the tensor is of another type. */
export function float64(tensor: Tensor): Float64Array {
  expectType(tensor, "F64");
  return new Float64Array(new Uint8Array(tensor.bytes).buffer);
}

function expectType(tensor: Tensor, dtype: string): void {
  if (tensor.dtype !== dtype) throw new Error(`expected a tensor of ${dtype}, got ${tensor.dtype}`);
}

/** Short, however long what the header holds is. */
const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
};

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0);
