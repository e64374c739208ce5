/** Reads what was appended to a file since the last look. */
import { open } from "node:fs/promises";

const CHUNK = 1 << 17;

/**
 * Pieces of the file from byte `from` to where it ended when it was opened: a writer that is faster than its reader must not
 * keep it here for ever. None when there is no such file. Throws on other errors.
 */
export async function* readFrom(path: string, from: number): AsyncGenerator<Uint8Array> {
  let file;
  try {
    file = await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  try {
    const { size } = await file.stat();
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
  /** Byte at which it begins. */
  offset: number;
  text: string;
}

/** A file of lines; the last one counts once its line end is there. */
export class LineTail {
  private at = 0;
  private rest: Uint8Array = new Uint8Array(0);

  /** `from`: the byte to begin at, which must be a line's first. */
  constructor(
    private readonly path: string,
    from = 0,
  ) {
    this.at = from;
  }

  async read(): Promise<Line[]> {
    const lines: Line[] = [];
    for await (const chunk of readFrom(this.path, this.at + this.rest.length)) {
      const bytes = Buffer.concat([this.rest, chunk]);
      let begin = 0;
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, begin)) {
        lines.push({ offset: this.at + begin, text: bytes.toString("utf8", begin, end) });
        begin = end + 1;
      }
      this.at += begin;
      this.rest = bytes.subarray(begin);
    }
    return lines;
  }
}
