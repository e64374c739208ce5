/**
 * Appends to a file without making the run wait. What cannot be written (a full disk) stays in memory, in order, and is
 * tried again: nothing is lost and nothing is written twice.
 */
import { open, type FileHandle } from "node:fs/promises";

export class Appender {
  private waiting: Uint8Array[] = [];
  private writing: Promise<void> | undefined;
  private file: FileHandle | undefined;
  /** Why the last write failed; undefined since one succeeded. */
  problem: Error | undefined;

  constructor(readonly path: string) {}

  get pending(): boolean {
    return this.waiting.length > 0;
  }

  push(bytes: Uint8Array): void {
    this.waiting.push(bytes);
  }

  /** Resolves when everything pushed so far is in the file or `problem` says why not. Never rejects. */
  async flush(): Promise<void> {
    while (this.writing) await this.writing;
    if (!this.pending) return;
    this.writing = this.write().finally(() => (this.writing = undefined));
    await this.writing;
  }

  private async write(): Promise<void> {
    try {
      this.file ??= await open(this.path, "a");
      while (this.waiting.length > 0) {
        const bytes = this.waiting.length === 1 ? this.waiting[0]! : Buffer.concat(this.waiting);
        this.waiting = [bytes];
        const count = this.waiting.length;
        const { bytesWritten } = await this.file.write(bytes);
        // A disk that fills up takes a part: the rest follows where that part ends. Others may have pushed meanwhile.
        const later = this.waiting.slice(count);
        this.waiting = bytesWritten < bytes.length ? [bytes.subarray(bytesWritten), ...later] : later;
      }
      this.problem = undefined;
    } catch (error) {
      this.problem = error as Error;
    }
  }

  /** As `flush`, and a power cut does not take it back. */
  async sync(): Promise<void> {
    await this.flush();
    try {
      await this.file?.datasync();
    } catch (error) {
      this.problem = error as Error;
    }
  }

  async close(): Promise<void> {
    await this.flush();
    await this.file?.close();
    this.file = undefined;
  }
}
