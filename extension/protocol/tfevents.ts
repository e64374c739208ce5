/**
 * TensorBoard's event messages: Event, Summary, HistogramProto, TensorProto (tensorflow/core/util/event.proto,
 * framework/summary.proto, framework/tensor.proto). Written as PyTorch's SummaryWriter does (simple_value and
 * HistogramProto, vectors as rank-1 double tensors); read also as TensorFlow 2 writes (tensors for everything).
 */
import { BYTES, fields, FIXED32, FIXED64, float, floats, MessageWriter, text, VARINT } from "./protobuf";
import type { Histogram } from "./series";
import { frameRecord } from "./tfrecord";

export type HistogramValue = Omit<Histogram, "step">;

export type LogValue =
  | { tag: string; shape: "scalar"; value: number }
  | { tag: string; shape: "histogram"; value: HistogramValue }
  | { tag: string; shape: "vector"; value: Float64Array };

/** What an event says of all its values. */
export interface EventHead {
  /** Seconds since the epoch, as the writer has them: perhaps none. */
  wallTime: number;
  step: number;
  /** Only in a file's first record. */
  fileVersion: string | null;
  /** A writer (re)started: whatever was logged at `step` or later is superseded. */
  sessionStart: boolean;
}

const FILE_VERSION = "brain.Event:2";
const SESSION_START = 1;
/** TensorFlow's plugin of histograms as tensors [k, 3]. */
const HISTOGRAMS = "histograms";
/** tensor.proto, DataType: DT_FLOAT, DT_DOUBLE. */
const FLOAT = 1;
const DOUBLE = 2;
/** summary.proto, DataClass: a tensor that a plugin reads. */
const DATA_CLASS_TENSOR = 2;
/** Bytes after which the values of a step go on in another record: readers hold a record in memory and refuse very long ones. */
const FULL = 1 << 20;
/** Characters of a tag: three names of 200, and room. */
const MOST_TAG = 1000;
/** Numbers of a vector or buckets of a histogram: sixteen times the widest model's singular values. */
const MOST_NUMBERS = 1 << 20;

/** A file's first record. */
export const encodeFileVersion = (wallTime: number): Uint8Array =>
  record((event) => {
    event.double(1, wallTime);
    event.string(3, FILE_VERSION);
  });

/** TensorBoard and Muonscope then drop what older files hold at `step` or later. */
export const encodeSessionStart = (wallTime: number, step: number): Uint8Array =>
  record((event) => {
    event.double(1, wallTime);
    event.integer(2, step);
    event.message(7, (session) => session.integer(1, SESSION_START));
  });

/** All values of a step: a framed record, or several where they are many. */
export function encodeValues(wallTime: number, step: number, values: readonly LogValue[]): Uint8Array {
  const records: Uint8Array[] = [];
  let next = 0;
  do {
    records.push(
      record((event) => {
        event.double(1, wallTime);
        event.integer(2, step);
        event.message(5, (summary) => {
          for (; next < values.length && summary.size < FULL; next++) summary.message(1, (message) => writeValue(message, values[next]!));
        });
      }),
    );
  } while (next < values.length);
  if (records.length === 1) return records[0]!;
  const all = new Uint8Array(records.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const each of records) {
    all.set(each, at);
    at += each.length;
  }
  return all;
}

function record(write: (event: MessageWriter) => void): Uint8Array {
  const event = new MessageWriter();
  write(event);
  return frameRecord(event.finish());
}

function writeValue(message: MessageWriter, value: LogValue): void {
  message.string(1, value.tag);
  if (value.shape === "scalar") {
    message.float(2, value.value);
  } else if (value.shape === "histogram") {
    message.message(5, (histogram) => writeHistogram(histogram, value.value));
  } else {
    message.message(9, (metadata) => {
      metadata.message(1, (plugin) => plugin.string(1, "muonscope"));
      metadata.integer(4, DATA_CLASS_TENSOR);
    });
    message.message(8, (tensor) => {
      tensor.integer(1, DOUBLE);
      tensor.message(2, (shape) => shape.message(2, (dimension) => dimension.integer(1, value.value.length)));
      tensor.packedDoubles(6, value.value);
    });
  }
}

/**
 * A bucket reaches from the limit before it to its own; TensorBoard takes `min` and `max` for the outer two edges, which are
 * infinite in an under- and overflow bin. Limits must be finite and increase.
 */
function writeHistogram(message: MessageWriter, { edges, counts, min, max, count, sum, sumSquares }: HistogramValue): void {
  const limits = edges.slice(1);
  const last = limits.length - 1;
  if (!Number.isFinite(limits[last]!)) {
    const before = last > 0 ? limits[last - 1]! : min;
    limits[last] = max > before ? max : before + (last > 1 ? before - limits[last - 2]! : 1);
  }
  message.double(1, min);
  message.double(2, max);
  message.double(3, count);
  message.double(4, sum);
  message.double(5, sumSquares);
  message.packedDoubles(6, limits);
  message.packedDoubles(7, counts);
}

/**
 * Decodes a file's records in order: TensorFlow 2 says only at a tag's first value what its tensors mean.
 * Both methods throw on a record whose checksum is right and whose content is not an Event.
 */
export class EventDecoder {
  /** Tags whose tensors are histograms. */
  private readonly histograms = new Set<string>();

  head(data: Uint8Array): EventHead {
    const event: EventHead = { wallTime: 0, step: 0, fileVersion: null, sessionStart: false };
    for (const { number, type, value, data: bytes } of fields(data)) {
      if (number === 1 && type === FIXED64) event.wallTime = float(bytes, 8);
      else if (number === 2 && type === VARINT) event.step = value;
      else if (number === 3 && type === BYTES) event.fileVersion = text(bytes.subarray(0, MOST_TAG));
      else if (number === 7 && type === BYTES) {
        for (const field of fields(bytes)) if (field.number === 1) event.sessionStart = field.value === SESSION_START;
      }
    }
    return event;
  }

  /**
   * The event's values, one by one, so that a reader of very many can let others run between them. Undefined in place of
   * images, texts, graphs and other plugins' tensors, which are passed over.
   */
  *values(data: Uint8Array): Generator<LogValue | undefined> {
    for (const { number, type, data: summary } of fields(data)) {
      if (number !== 5 || type !== BYTES) continue;
      for (const field of fields(summary, Infinity)) {
        yield field.number === 1 && field.type === BYTES ? this.value(field.data) : undefined;
      }
    }
  }

  private value(data: Uint8Array): LogValue | undefined {
    let tag = "";
    let found: Shaped | undefined;
    let tensor: Uint8Array | undefined;
    for (const { number, type, data: bytes } of fields(data)) {
      if (number === 1 && type === BYTES) tag = readTag(bytes);
      else if (number === 2 && type === FIXED32) found = { shape: "scalar", value: float(bytes, 4) };
      else if (number === 5 && type === BYTES) found = { shape: "histogram", value: readHistogram(bytes) };
      else if (number === 8 && type === BYTES) tensor = bytes;
      else if (number === 9 && type === BYTES) this.metadata(tag, bytes);
    }
    if (tensor) found = readTensor(tensor, this.histograms.has(tag));
    return found && { tag, ...found };
  }

  private metadata(tag: string, data: Uint8Array): void {
    for (const field of fields(data)) {
      if (field.number !== 1 || field.type !== BYTES) continue;
      for (const { number, data: name } of fields(field.data)) {
        // The only one whose tensors would not be understood without its name.
        if (number === 1 && text(name.subarray(0, MOST_TAG)) === HISTOGRAMS) this.histograms.add(tag);
      }
    }
  }
}

function readTag(data: Uint8Array): string {
  if (data.length > MOST_TAG) throw new Error(`a tag of ${data.length} bytes, at most ${MOST_TAG} are read`);
  return text(data);
}

type Shaped = LogValue extends infer V ? (V extends LogValue ? Omit<V, "tag"> : never) : never;

/** Repeated doubles, packed or not. */
class Doubles {
  private parts: Float64Array[] = [];
  private length = 0;

  add(data: Uint8Array, bytes: 4 | 8): void {
    this.length += data.length / bytes;
    if (this.length > MOST_NUMBERS) throw new Error(`more than ${MOST_NUMBERS} numbers at one tag`);
    this.parts.push(floats(data, bytes));
  }

  all(): Float64Array {
    if (this.parts.length === 1) return this.parts[0]!;
    const all = new Float64Array(this.length);
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

function readHistogram(data: Uint8Array): HistogramValue {
  const moments = [0, 0, 0, 0, 0, 0];
  const limits = new Doubles();
  const buckets = new Doubles();
  for (const { number, data: bytes } of fields(data)) {
    if (number >= 1 && number <= 5) moments[number] = float(bytes, 8);
    else if (number === 6) limits.add(bytes, 8);
    else if (number === 7) buckets.add(bytes, 8);
  }
  const [, min, max, count, sum, sumSquares] = moments as [number, number, number, number, number, number];
  const counts = buckets.all();
  const right = limits.all();
  if (right.length !== counts.length) {
    throw new Error(`a histogram has ${right.length} limits for ${counts.length} buckets`);
  }
  const edges = new Float64Array(counts.length + 1);
  edges.set(right, 1);
  // The outer edges are where the data ends, not where the outermost buckets (to ±1.8e308 in PyTorch) do.
  const last = counts.length;
  edges[0] = last > 0 ? Math.min(min, right[0]!) : min;
  if (last > 0) edges[last] = Math.max(edges[last - 1]!, Math.min(right[last - 1]!, max));
  return { edges, counts, min, max, count, sum, sumSquares };
}

/** Rank 0: a scalar. [k, 3] of the histograms plugin: left, right, count. Rank 1: a vector. Others are not ours. */
function readTensor(data: Uint8Array, isHistogram: boolean): Shaped | undefined {
  let type = 0;
  let content: Uint8Array | undefined;
  const dimensions: number[] = [];
  const values = new Doubles();
  for (const { number, value, data: bytes } of fields(data)) {
    if (number === 1) type = value;
    else if (number === 2) {
      for (const shape of fields(bytes)) {
        if (shape.number !== 2) continue;
        let size = 0;
        for (const dimension of fields(shape.data)) if (dimension.number === 1) size = dimension.value;
        if (dimensions.push(size) > 2) return undefined;
      }
    } else if (number === 4) content = bytes;
    else if (number === 5) values.add(bytes, 4);
    else if (number === 6) values.add(bytes, 8);
  }
  if (type !== FLOAT && type !== DOUBLE) return undefined;
  if (content) values.add(content, type === DOUBLE ? 8 : 4);
  const all = values.all();
  if (dimensions.length === 0 && all.length === 1) return { shape: "scalar", value: all[0]! };
  if (dimensions.length === 1 && all.length === dimensions[0]) return { shape: "vector", value: all };
  if (isHistogram && dimensions.length === 2 && dimensions[1] === 3 && all.length === dimensions[0]! * 3) {
    return { shape: "histogram", value: fromTriples(all) };
  }
  return undefined;
}

/** Sum and sum of squares are not in this form: NaN. */
function fromTriples(triples: Float64Array): HistogramValue {
  const bins = triples.length / 3;
  const edges = new Float64Array(bins + 1);
  const counts = new Float64Array(bins);
  let count = 0;
  for (let i = 0; i < bins; i++) {
    edges[i] = triples[3 * i]!;
    edges[i + 1] = triples[3 * i + 1]!;
    counts[i] = triples[3 * i + 2]!;
    count += counts[i]!;
  }
  return { edges, counts, min: edges[0]!, max: edges[bins]!, count, sum: NaN, sumSquares: NaN };
}
