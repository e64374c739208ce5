/** Reads orders from `control.jsonl` as they come. */
import { closeSync, fstatSync, openSync } from "node:fs";
import { join } from "node:path";
import { CONTROL_JSONL, type RunEvent } from "../protocol/runFolder";
import { LineTail } from "../runs/tail";

export class ControlFile {
  private readonly descriptor: number;
  private readonly lines: LineTail;
  private seen = 0;

  /** The file is there, so that a look is one cheap fstat. */
  constructor(folder: string) {
    const path = join(folder, CONTROL_JSONL);
    this.descriptor = openSync(path, "r");
    this.lines = new LineTail(path);
  }

  /** New complete lines. Cheap when there are none: to be called before every step. */
  async read(): Promise<string[]> {
    const { size } = fstatSync(this.descriptor);
    if (size === this.seen) return [];
    this.seen = size;
    return (await this.lines.read()).map(({ text }) => text).filter((text) => text.trim() !== "");
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** Ids of the orders that were answered, whatever the answer was. */
export function answered(events: readonly RunEvent[]): Set<string> {
  return new Set(events.flatMap((event) => (event.type === "applied" || event.type === "refused" ? [event.order] : [])));
}
