/**
 * Appends to a file without making the run wait. What cannot be written (a full disk) stays in memory, in order, and is
 * tried again, and so is a sync that failed: nothing is lost, nothing is written twice, and a fault that has passed is forgotten.
 */
import type { FileHandle } from "node:fs/promises";
import { openToAppend } from "../runs/ownFiles";

export class Appender {
  private waiting: Uint8Array[] = [];
  private writing: Promise<void> | undefined;
  private file: FileHandle | undefined;
  /** Asked for and not done yet. */
  private syncOwed = false;
  /** Why the last write or sync failed; undefined since all that was owed succeeded. */
  problem: Error | undefined;

  constructor(readonly path: string) {}

  get pending(): boolean {
    return this.waiting.length > 0 || this.syncOwed;
  }

  push(bytes: Uint8Array): void {
    this.waiting.push(bytes);
  }

  /** Resolves when everything pushed so far is in the file, and synced where that was asked for, or `problem` says why not. Never rejects. */
  async flush(): Promise<void> {
    while (this.writing) await this.writing;
    if (!this.pending) return;
    this.writing = this.write().finally(() => (this.writing = undefined));
    await this.writing;
  }

  private async write(): Promise<void> {
    try {
      this.file ??= await openToAppend(this.path);
      while (this.waiting.length > 0) {
        const bytes = this.waiting.length === 1 ? this.waiting[0]! : Buffer.concat(this.waiting);
        this.waiting = [bytes];
        const count = this.waiting.length;
        const { bytesWritten } = await this.file.write(bytes);
        // A disk that fills up takes a part: the rest follows where that part ends. Others may have pushed meanwhile.
        const later = this.waiting.slice(count);
        this.waiting = bytesWritten < bytes.length ? [bytes.subarray(bytesWritten), ...later] : later;
      }
      if (this.syncOwed) await this.file.datasync();
      this.syncOwed = false;
      this.problem = undefined;
    } catch (error) {
      this.problem = error as Error;
    }
  }

  /** As `flush`, and a power cut does not take it back. */
  async sync(): Promise<void> {
    while (this.writing) await this.writing; // a sync under way does not cover what was pushed since
    this.syncOwed = true;
    await this.flush();
  }

  /** Never rejects: `problem` says what is not in the file. */
  async close(): Promise<void> {
    await this.sync();
    try {
      await this.file?.close();
    } catch (error) {
      this.problem ??= error as Error;
    }
    this.file = undefined;
  }
}
