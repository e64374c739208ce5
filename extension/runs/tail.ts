/** Reads what was appended to a file since the last look. */
import { openFile } from "./files";

const CHUNK = 1 << 17;
/** Lent to one reader after another: new ones for each piece would fill the memory until garbage is collected. */
const spare: Uint8Array[] = [];
const MOST_SPARE = 2;
/** Bytes of the longest line that is read; an event with a value for each of a thousand blocks' matrices has half as many. */
export const MOST_LINE = 1 << 20;
/** Of a longer one, enough to tell what it was. */
const GLIMPSE = 200;

/**
 * Pieces of the file from byte `from` to where it ended when it was opened: a writer that is faster than its reader must not
 * keep it here for ever. None when there is no such file. Throws on other errors. Each is good until the next is asked for.
 */
export async function* readFrom(path: string, from: number): AsyncGenerator<Uint8Array> {
  const found = await openFile(path);
  if (!found) return;
  const { file, size } = found;
  const buffer = spare.pop() ?? new Uint8Array(CHUNK);
  try {
    for (let at = from; at < size;) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(CHUNK, size - at), at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    if (spare.length < MOST_SPARE) spare.push(buffer);
    await file.close();
  }
}

export interface Line {
  /** From 1. */
  number: number;
  /** Of one that is too long, its beginning. */
  text: string;
  /** Bytes, of one that has more than are read. */
  tooLong?: number;
}

/** A file of lines; the last one counts once its line end is there. */
export class LineTail {
  /** Of the file, as far as it was read. */
  private at = 0;
  private count = 0;
  /** The line that is not yet complete: its pieces, as far as they are kept, and its bytes. */
  private pieces: Uint8Array[] = [];
  private length = 0;

  constructor(private readonly path: string) {}

  /** All that are new. */
  async read(): Promise<Line[]> {
    const lines: Line[] = [];
    for await (const line of this.lines()) lines.push(line);
    return lines;
  }

  /** Those that are new, one by one, for a reader that lets others run between them. Not to be left before its end. */
  async *lines(): AsyncGenerator<Line> {
    for await (const chunk of readFrom(this.path, this.at)) {
      this.at += chunk.length;
      let begin = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, begin)) {
        const line = this.take(chunk.subarray(begin, end));
        begin = end + 1;
        yield line;
      }
      this.keep(chunk.subarray(begin));
    }
  }

  private keep(piece: Uint8Array): void {
    const before = this.length;
    this.length += piece.length;
    if (this.length <= MOST_LINE) this.pieces.push(piece.slice());
    // Of what is not read, no more than is told.
    else if (before <= MOST_LINE) this.pieces = [new Uint8Array(Buffer.concat([...this.pieces, piece]).subarray(0, GLIMPSE))];
  }

  /** The line that ends with this piece. */
  private take(piece: Uint8Array): Line {
    const bytes =
      this.pieces.length > 0 ? Buffer.concat([...this.pieces, piece]) : Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    const length = this.length + piece.length;
    this.pieces = [];
    this.length = 0;
    const number = ++this.count;
    if (length <= MOST_LINE) return { number, text: bytes.toString("utf8") };
    return { number, text: bytes.toString("utf8", 0, GLIMPSE), tooLong: length };
  }
}
