/** What happened to a run: its `events.jsonl` as it grows, and what must be known of all of it at any time. */
import { join } from "node:path";
import { EVENTS_JSONL, type RunEvent } from "../protocol/runFolder";
import { parseEvent } from "./runEvent";
import { Slices } from "./slices";
import { isState } from "./state";
import { LineTail, MOST_LINE } from "./tail";
import { turnsOf } from "./turns";

/** Events that are kept: a checkpoint at every hundredth of five million steps. Of later ones, only what they say of the run's state is known. */
const MOST_EVENTS = 50_000;

export class Happenings {
  readonly events: RunEvent[] = [];
  /** The latest that says what the run is doing, and the latest start. */
  state: RunEvent | undefined;
  started: Extract<RunEvent, { type: "started" }> | undefined;
  /** Milliseconds since the epoch, of the first event and of the latest moment; null when nothing happened yet. */
  firstTime: number | null = null;
  lastTime: number | null = null;
  /** Of the last event. */
  step = 0;
  private readonly lines: LineTail;

  constructor(
    folder: string,
    private readonly warn: (place: string, what: string) => boolean,
    /** Whether events are kept. */
    private readonly keep = true,
  ) {
    this.lines = new LineTail(join(folder, EVENTS_JSONL));
  }

  /** True when there was something new. */
  async read(): Promise<boolean> {
    let news = false;
    const slices = new Slices();
    try {
      for await (const { number, text, tooLong } of this.lines.lines()) {
        news = true;
        if (tooLong !== undefined) this.warn(`${EVENTS_JSONL}, line ${number}`, `${tooLong} bytes, at most ${MOST_LINE} are read`);
        else if (text !== "") this.take(number, text);
        if (slices.spent) await slices.breathe();
      }
    } catch (error) {
      return this.warn(EVENTS_JSONL, (error as Error).message) || news;
    }
    return news;
  }

  private take(number: number, line: string): void {
    const result = parseEvent(line);
    if ("problem" in result) {
      this.warn(`${EVENTS_JSONL}, line ${number}`, result.problem);
      return;
    }
    const event = result.read;
    const time = Date.parse(event.time);
    this.firstTime ??= time;
    this.lastTime = Math.max(this.lastTime ?? time, time);
    this.step = event.step;
    if (isState(event)) this.state = event;
    if (event.type === "started") this.started = event;
    if (!this.keep) return;
    if (this.events.length < MOST_EVENTS) {
      this.events.push(event);
      // Now, in slices, and not when a page asks for all of them at once.
      turnsOf(this.events);
    } else this.warn(EVENTS_JSONL, `more than ${MOST_EVENTS} events; of the later ones only the state of the run is known`);
  }
}
