/** Reads what was appended to a file since the last look. */
import { openFile } from "./files";

const CHUNK = 1 << 17;
/** Bytes of the longest line that is read; an event with a value for each of a thousand blocks' matrices has half as many. */
export const MOST_LINE = 1 << 20;
/** Of a longer one, enough to tell what it was. */
const GLIMPSE = 200;

/**
 * Pieces of the file from byte `from` to where it ended when it was opened: a writer that is faster than its reader must not
 * keep it here for ever. None when there is no such file. Throws on other errors.
 */
export async function* readFrom(path: string, from: number): AsyncGenerator<Uint8Array> {
  const found = await openFile(path);
  if (!found) return;
  const { file, size } = found;
  try {
    for (let at = from; at < size;) {
      const buffer = new Uint8Array(Math.min(CHUNK, size - at));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
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
        this.keep(chunk.subarray(begin, end));
        begin = end + 1;
        yield this.take();
      }
      this.keep(chunk.subarray(begin));
    }
  }

  private keep(piece: Uint8Array): void {
    if (this.length <= MOST_LINE) this.pieces.push(piece);
    this.length += piece.length;
  }

  private take(): Line {
    const { pieces, length } = this;
    this.pieces = [];
    this.length = 0;
    const number = ++this.count;
    const tooLong = length > MOST_LINE;
    const bytes = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, tooLong ? GLIMPSE : length).toString("utf8");
    return tooLong ? { number, text, tooLong: length } : { number, text };
  }
}
