/** Reads orders from `control.jsonl` as they come, and anew when the file was deleted, replaced or shortened. */
import { lstatSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { CONTROL_JSONL, type RunEvent } from "../protocol/runFolder";
import { openToRead } from "../runs/ownFiles";

/** Bytes that are read at a time; no order is as long. */
const CHUNK = 1 << 20;
/** Bytes before the place to read on from, by which the file is known again: an order's id is among them. */
const MEMORY = 128;

export interface Look {
  /** New complete lines. */
  lines: string[];
  /** The file is another one than at the last look: some of the lines may be known. */
  anew: boolean;
}

export class ControlFile {
  private readonly path: string;
  /** Of the file that was read last. */
  private mark = "";
  private at = 0;
  private before: Uint8Array = new Uint8Array(0);
  private anew = false;
  /** There is more than was read at once. */
  more = false;
  /** Why the file cannot be read; undefined since it can. */
  problem: string | undefined;

  constructor(folder: string) {
    this.path = join(folder, CONTROL_JSONL);
  }

  /** Cheap when there is nothing new: to be called before every step. Never rejects: `problem` says why there are no lines. */
  async read(): Promise<Look> {
    try {
      const stats = lstatSync(this.path, { bigint: true, throwIfNoEntry: false });
      // Whoever gives the next order makes it again.
      const mark = stats ? `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeNs}` : "";
      if (mark === this.mark && !this.more) return { lines: [], anew: false };
      const look = stats ? await this.readOn() : { lines: [], anew: false };
      this.mark = mark;
      this.problem = undefined;
      return look;
    } catch (error) {
      this.problem = (error as Error).message;
      this.more = false;
      this.mark = "unread";
      return { lines: [], anew: false };
    }
  }

  private async readOn(): Promise<Look> {
    const file = await openToRead(this.path);
    try {
      if (!(await this.isKnown(file))) {
        this.at = 0;
        this.before = new Uint8Array(0);
        this.anew = true;
      }
      const { anew } = this;
      const bytes = await readAt(file, this.at, CHUNK);
      const lines = bytes.lastIndexOf(10) + 1;
      this.more = bytes.length === CHUNK;
      // A line that fills all of it is refused in parts, which is better than to read it for ever.
      const read = bytes.subarray(0, lines === 0 && this.more ? CHUNK : lines);
      this.before = Buffer.concat([this.before, read]).subarray(-MEMORY);
      this.at += read.length;
      if (!this.more) this.anew = false;
      const texts = read.toString("utf8").split("\n");
      return { lines: texts.filter((text) => text.trim() !== ""), anew };
    } finally {
      await file.close();
    }
  }

  private async isKnown(file: FileHandle): Promise<boolean> {
    const found = await readAt(file, this.at - this.before.length, this.before.length);
    return found.equals(this.before);
  }
}

/** Fewer where the file ends. */
async function readAt(file: FileHandle, position: number, count: number): Promise<Buffer> {
  const bytes = Buffer.alloc(count);
  let length = 0;
  while (length < count) {
    const { bytesRead } = await file.read(bytes, length, count - length, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

/** Ids of the orders that were answered, whatever the answer was. */
export function answered(events: readonly RunEvent[]): Set<string> {
  return new Set(events.flatMap((event) => (event.type === "applied" || event.type === "refused" ? [event.order] : [])));
}
