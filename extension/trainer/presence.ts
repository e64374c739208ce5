/** Notices when a run's folder was deleted, moved or replaced: what is trained then, nobody finds and nobody stops. */
import { closeSync, openSync, statSync, type BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";

/** Milliseconds between looks. */
const EVERY = 1000;

export class Presence {
  /** Open, so that no other folder gets its number. Windows opens no folders, and lets nobody move one with open files in it. */
  private readonly descriptor: number | undefined;
  private readonly identity: string;
  private looked = performance.now();
  private missed = false;

  constructor(private readonly folder: string) {
    this.descriptor = process.platform === "win32" ? undefined : openSync(folder, "r");
    this.identity = identify(statSync(folder, { bigint: true }));
  }

  /** How it is gone, once two looks in a row found it so: who moves it back at once meant no harm. Cheap: for before every step. */
  async missing(): Promise<string | undefined> {
    if (performance.now() - this.looked < EVERY) return undefined;
    this.looked = performance.now();
    const found = await this.look();
    const confirmed = found !== undefined && this.missed;
    this.missed = found !== undefined;
    return confirmed ? found : undefined;
  }

  /** As of now. */
  async look(): Promise<string | undefined> {
    try {
      const found = identify(await stat(this.folder, { bigint: true }));
      return found === this.identity ? undefined : "another folder is in its place";
    } catch (error) {
      // A disk that does not answer is not a folder that is gone.
      return ["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "") ? "it was deleted or moved" : undefined;
    }
  }

  close(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
  }
}

const identify = ({ dev, ino }: BigIntStats): string => `${dev} ${ino}`;
