/** What a run says of itself: numbers to TensorBoard's log, happenings to `events.jsonl`. Never in the step's way. */
import { join } from "node:path";
import { hostname } from "node:os";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { EVENTS_JSONL, type RunEvent } from "../protocol/runFolder";
import { encodeFileVersion, encodeSessionStart, encodeValues, type LogValue } from "../protocol/tfevents";
import { isEventFile } from "../runs/list";
import { Appender } from "./appender";

type WithoutTime<T> = T extends unknown ? Omit<T, "time"> : never;
export type NewEvent = WithoutTime<RunEvent>;

/** Milliseconds that numbers may stay in memory. */
const FLUSH = 250;

export class LogWriter {
  private readonly numbers: Appender;
  private readonly happenings: Appender;
  private readonly timer: NodeJS.Timeout;
  private lastFlush = 0;

  /** `from`: the step whose values this log is the first to hold, when it continues another one's. */
  constructor(folder: string, from: number | null) {
    this.numbers = new Appender(join(folder, nextName(folder)));
    const events = join(folder, EVENTS_JSONL);
    this.happenings = new Appender(events);
    if (endsTorn(events)) this.happenings.push(Buffer.from("\n"));
    const now = Date.now() / 1000;
    this.numbers.push(encodeFileVersion(now));
    if (from !== null) this.numbers.push(encodeSessionStart(now, from));
    this.timer = setInterval(() => void this.numbers.flush(), FLUSH);
    this.timer.unref();
  }

  /** Values of a step, as one record. */
  values(step: number, values: readonly LogValue[]): void {
    this.numbers.push(encodeValues(Date.now() / 1000, step, values));
  }

  event(event: NewEvent): void {
    this.happenings.push(Buffer.from(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`));
    void this.happenings.flush();
  }

  /** Writes in the background what a slow step would otherwise hold back. */
  stepDone(): void {
    const now = performance.now();
    if (now - this.lastFlush < FLUSH) return;
    this.lastFlush = now;
    void this.numbers.flush();
  }

  get files(): string[] {
    return [this.numbers.path, this.happenings.path];
  }

  /** Why the folder cannot be written to; undefined when it can. */
  get problem(): Error | undefined {
    return this.numbers.problem ?? this.happenings.problem;
  }

  async flush(): Promise<void> {
    await Promise.all([this.numbers.flush(), this.happenings.flush()]);
  }

  /** Before a checkpoint: a run goes on from there, and its log must reach as far. */
  async sync(): Promise<void> {
    await Promise.all([this.numbers.sync(), this.happenings.sync()]);
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all([this.numbers.close(), this.happenings.close()]);
  }
}

/** TensorBoard's form; the second in it orders the logs of a run, so that it must be later than the last one's. */
function nextName(folder: string): string {
  const seconds = readdirSync(folder)
    .filter(isEventFile)
    .map((name) => Number(/\.tfevents\.(\d+)/.exec(name)?.[1] ?? 0));
  const now = Math.max(Math.floor(Date.now() / 1000), ...seconds.map((second) => second + 1));
  return `events.out.tfevents.${now}.${hostname()}.${process.pid}`;
}

/** A power cut or a full disk may have left half a line: the next one must not be glued to it. */
function endsTorn(path: string): boolean {
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  return text !== "" && !text.endsWith("\n");
}
