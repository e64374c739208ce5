/** Reads a folder's TensorBoard logs, all of them one run, into a store while they grow. */
import { join } from "node:path";
import { EventDecoder } from "../protocol/tfevents";
import { RecordReader } from "../protocol/tfrecord";
import { expectFile, namesIn } from "./files";
import { isEventFile } from "./list";
import type { SeriesStore } from "./seriesStore";
import { Slices } from "./slices";
import { readFrom } from "./tail";

/** Each start of a trainer begins a log; every look at the run looks at each. */
const MOST_LOGS = 1000;
/** Seconds since the epoch that a date can hold (ECMA-262, 21.4.1.1). */
const MOST_TIME = 8.64e12;

interface LogFile {
  name: string;
  path: string;
  order: number;
  records: RecordReader;
  decoder: EventDecoder;
  size: number;
  /** Seconds since the epoch, of the last record that has one. */
  time: number;
  stopped: boolean;
}

export class EventFiles {
  private readonly files = new Map<string, LogFile>();

  constructor(
    private readonly folder: string,
    private readonly store: SeriesStore,
    private readonly warn: (place: string, what: string) => void,
  ) {}

  /** True when there was something new. */
  async read(): Promise<boolean> {
    // A log's name holds the second it was begun in: the names' order is the order of restarts.
    const names = (await namesIn(this.folder))
      .filter(({ name, isFolder }) => !isFolder && isEventFile(name))
      .map(({ name }) => name)
      .sort();
    if (names.length > MOST_LOGS) this.warn(`${names.length} logs`, `only the latest ${MOST_LOGS} are read`);
    let found = false;
    for (const [order, name] of [...names.entries()].slice(-MOST_LOGS)) {
      let file = this.files.get(name);
      if (!file) {
        const path = join(this.folder, name);
        file = { name, path, order, records: new RecordReader(), decoder: new EventDecoder(), size: 0, time: 0, stopped: false };
        this.files.set(name, file);
      }
      file.order = order;
      try {
        if (await this.readFile(file)) found = true;
      } catch (error) {
        this.warn(name, (error as Error).message);
      }
    }
    return found;
  }

  private async readFile(file: LogFile): Promise<boolean> {
    if (file.stopped) return false;
    const size = (await expectFile(file.path)) ?? 0;
    if (size < file.size) {
      this.warnAt(file, size, `the log was ${file.size} bytes long and is now shorter; what was read is kept, the rest is left unread`);
      file.stopped = true;
      return true;
    }
    if (size === file.size) return false;
    const slices = new Slices();
    // The next record may begin beyond the end, where a very long one is passed over that is not yet all there.
    let end = file.records.received;
    file.size = size;
    for await (const chunk of readFrom(file.path, end)) {
      end += chunk.length;
      file.size = Math.max(size, end);
      file.records.push(chunk);
      await this.drain(file, slices);
      if (file.stopped) break;
    }
    file.records.settle();
    return true;
  }

  private async drain(file: LogFile, slices: Slices): Promise<void> {
    for (let item = file.records.next(); item; item = file.records.next()) {
      if (item.kind === "damage") this.warnAt(file, item.offset, item.what);
      else if (item.kind === "record") await this.take(file, item.offset, item.data, slices);
      else if (item.kind === "hopeless") {
        this.warnAt(file, item.offset, item.what);
        file.stopped = true;
        return;
      }
      if (slices.spent) await slices.breathe();
    }
  }

  private async take(file: LogFile, offset: number, data: Uint8Array, slices: Slices): Promise<void> {
    try {
      const { wallTime, step, sessionStart } = file.decoder.head(data);
      if (Math.abs(wallTime) <= MOST_TIME) file.time = wallTime;
      else this.warn(file.name, "it has records without a time; that of the record before is taken");
      if (sessionStart) this.store.supersede(step);
      for (const value of file.decoder.values(data)) {
        if (value && !this.store.add(file.order, step, file.time, value)) {
          this.warn(file.name, "the run has more tags than are read; the later ones are passed over");
        }
        if (slices.spent) await slices.breathe();
      }
    } catch (error) {
      this.warnAt(file, offset, `not a TensorBoard event: ${(error as Error).message}`);
    }
  }

  private warnAt({ name }: LogFile, byte: number, what: string): void {
    this.warn(`${name}, byte ${byte}`, what);
  }
}
