/** Reads one run folder, again and again while it grows. Any prefix of its files is a valid run. */
import { hostname } from "node:os";
import { basename, join } from "node:path";
import { CHECKPOINTS, RUN_JSON, TRAINER_LOG, type RunEvent, type RunJson, type RunState } from "../protocol/runFolder";
import type { Histogram, Series } from "../protocol/series";
import { LOSS_TRAIN, LOSS_VALIDATION } from "../protocol/tags";
import { EventFiles } from "./eventFiles";
import { Happenings } from "./happenings";
import { namesInOwn, NotRead, openFile, readText } from "./files";
import { isAlive } from "./processes";
import { parseRunJson } from "./runJson";
import { SeriesStore, type Cursor, type Increment, type Kind } from "./seriesStore";
import { deriveState } from "./state";

export type { Cursor, Increment, Kind } from "./seriesStore";

export interface Checkpoint {
  /** Absolute. */
  file: string;
  step: number;
}

/** Enough of a log's end to say why a process died. */
const LOG_TAIL = { bytes: 4096, lines: 12 };
/** Bytes. A model of a thousand blocks is described in half of it. */
const MOST_RUN_JSON = 1 << 21;
/** Places that cannot be read and are told. */
const MOST_WARNINGS = 100;
/** Tags that a run's state is told from. */
const TELLING = new Set([LOSS_TRAIN, LOSS_VALIDATION]);

export class RunReader {
  /** Undefined for a folder that another tool wrote, or that is still being made. */
  run: RunJson | undefined;
  private readonly store: SeriesStore;
  private readonly eventFiles: EventFiles;
  private readonly happened: Happenings;
  private readonly unread = new Set<string>();
  /** A run.json that is none, and what is wrong with it. */
  private refused: string | undefined;
  private problem: string | null = null;
  private alive: boolean | undefined;
  private lastLines = "";
  private polling: Promise<boolean> | undefined;

  /** `whole`: false for one of whom only the state is wanted. It reads as much, and keeps next to nothing. */
  constructor(
    readonly folder: string,
    readonly whole = true,
  ) {
    this.store = new SeriesStore(whole ? undefined : TELLING);
    this.eventFiles = new EventFiles(folder, this.store, (place, what) => this.warn(place, what));
    this.happened = new Happenings(folder, (place, what) => this.warn(place, what), whole);
  }

  get events(): readonly RunEvent[] {
    return this.happened.events;
  }

  /** File, byte or line, what: what could not be read and was passed over. Each is said once. */
  get warnings(): readonly string[] {
    return [...this.unread];
  }

  /**
   * Reads what was appended since the last call, in slices of a few milliseconds. True when there was something new.
   * A call during another one gets the other's answer. Rejects when the folder cannot be read.
   */
  poll(): Promise<boolean> {
    this.polling ??= this.read().finally(() => (this.polling = undefined));
    return this.polling;
  }

  private async read(): Promise<boolean> {
    const described = await this.readDescription();
    const logged = await this.eventFiles.read();
    const told = await this.happened.read();
    const gone = await this.look();
    return described || logged || told || gone;
  }

  private async readDescription(): Promise<boolean> {
    if (this.run) return false;
    let text;
    try {
      text = await readText(join(this.folder, RUN_JSON), MOST_RUN_JSON);
    } catch (error) {
      return this.refuse((error as Error).message);
    }
    if (text === undefined || text === this.refused) return false;
    const result = parseRunJson(text);
    if ("problem" in result) {
      // It is renamed into place, so this is damage, or nothing that Muonscope wrote.
      this.refused = text;
      return this.refuse(result.problem);
    }
    this.run = result.read;
    this.problem = null;
    return true;
  }

  private refuse(problem: string): boolean {
    this.problem = `${RUN_JSON} is not read: ${problem}`;
    return this.warn(RUN_JSON, problem);
  }

  /** Whether the trainer is still there. */
  private async look(): Promise<boolean> {
    const { started } = this.happened;
    if (!started || started.host !== hostname()) return false;
    const before = this.alive;
    this.alive = await isAlive(started.pid, started.processStart);
    if (this.alive === before) return false;
    if (!this.alive) {
      this.lastLines = await readTail(join(this.folder, TRAINER_LOG));
      // What it wrote between the last look and its end.
      await this.eventFiles.read();
      await this.happened.read();
    }
    return true;
  }

  /** True the first time. */
  private warn(place: string, what: string): boolean {
    const warning = `${place}: ${what}`;
    if (this.unread.has(warning) || this.unread.size > MOST_WARNINGS) return false;
    this.unread.add(
      this.unread.size < MOST_WARNINGS ? warning : `more than ${MOST_WARNINGS} places cannot be read; the others are not told`,
    );
    return true;
  }

  /** As of the last poll. */
  state(): RunState {
    const train = this.store.series(LOSS_TRAIN);
    const last = (series: Series | undefined): number | null => series?.values.at(-1) ?? null;
    return deriveState({
      event: this.happened.state,
      eventStep: this.happened.step,
      firstEvent: this.happened.firstTime,
      lastEvent: this.happened.lastTime,
      described: this.run !== undefined,
      problem: this.problem,
      alive: this.alive,
      step: train?.steps.at(-1) ?? this.store.lastStep,
      steps: this.run?.spec.steps ?? null,
      loss: last(train),
      validationLoss: last(this.store.series(LOSS_VALIDATION)),
      firstTime: milliseconds(this.store.firstTime),
      lastTime: milliseconds(this.store.lastTime),
      lastLines: this.lastLines,
    });
  }

  /** Sorted; of all kinds unless one is asked for. */
  tags(kind?: Kind): readonly string[] {
    return this.store.tags(kind);
  }

  /** Views, not copies; what they show does not change when the reader reads on. */
  series(tag: string): Series | undefined {
    return this.store.series(tag);
  }

  /** Points since `cursor` (undefined: all). Undefined for a tag that is not (yet) a scalar. */
  points(tag: string, cursor: Cursor | undefined): Increment | undefined {
    return this.store.points(tag, cursor);
  }

  histogramSteps(tag: string): Float64Array {
    return this.store.steps(tag);
  }

  /** The nearest at or before `step`. */
  histogram(tag: string, step: number): Histogram | undefined {
    return this.store.histogram(tag, step);
  }

  vectorSteps(tag: string): Float64Array {
    return this.store.steps(tag);
  }

  /** The nearest at or before `step`. */
  vector(tag: string, step: number): { step: number; values: Float64Array } | undefined {
    return this.store.vector(tag, step);
  }

  /** Ascending by step. */
  checkpoints(): Promise<Checkpoint[]> {
    return listCheckpoints(this.folder);
  }
}

const milliseconds = (seconds: number | null): number | null => (seconds === null ? null : seconds * 1000);

/** Of a run folder, ascending by step; none when it has no folder of checkpoints yet. Rejects when that is no folder. */
export async function listCheckpoints(folder: string): Promise<Checkpoint[]> {
  const found: Checkpoint[] = [];
  for (const { name, isFolder } of (await namesInOwn(join(folder, CHECKPOINTS))) ?? []) {
    const step = /^step-(\d+)\.safetensors$/.exec(name)?.[1];
    if (step !== undefined && !isFolder) found.push({ file: join(folder, CHECKPOINTS, name), step: Number(step) });
  }
  return found.sort((a, b) => a.step - b.step);
}

/** What happened to a run that nobody follows. */
export async function readEvents(folder: string): Promise<readonly RunEvent[]> {
  const happened = new Happenings(folder, () => false);
  await happened.read();
  return happened.events;
}

/** The last lines of a text file; empty when there is none, and why where it is not read. */
export async function readTail(path: string): Promise<string> {
  try {
    const found = await openFile(path);
    if (!found) return "";
    const { file, size } = found;
    try {
      const bytes = Buffer.alloc(Math.min(LOG_TAIL.bytes, size));
      await file.read(bytes, 0, bytes.length, size - bytes.length);
      return bytes.toString("utf8").trimEnd().split("\n").slice(-LOG_TAIL.lines).join("\n");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof NotRead) return `${basename(path)}: ${error.message}`;
    throw error;
  }
}
