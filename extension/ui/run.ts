/**
 * One run as the editor knows it: always its summary, and what happened to it and all its numbers while someone looks at it or it is
 * live. Of a folder of many runs hardly any are: the others take next to no memory.
 */
import type { RunSummary } from "../protocol/panels";
import type { RunEvent, RunJson, RunState } from "../protocol/runFolder";
import { nameOfFolder } from "../runs/newFolder";
import { RunReader } from "../runs/runFolder";

const LIVE: readonly RunState["status"][] = ["starting", "running", "paused"];
const RESUMABLE: readonly RunState["status"][] = ["paused", "stopped", "failed", "crashed"];

export class Run {
  private reading: RunReader;
  private holders = 0;
  private kept: { run: RunJson | undefined; state: RunState } | undefined;
  /** Warnings that were said: reading the run again is no reason to say them again. */
  private readonly told = new Set<string>();

  constructor(readonly folder: string) {
    this.reading = new RunReader(folder, false);
  }

  get json(): RunJson | undefined {
    return this.kept?.run;
  }

  /** Complete while the run is live or held. */
  get events(): readonly RunEvent[] {
    return this.reading.events;
  }

  get state(): RunState {
    return this.kept?.state ?? this.reading.state();
  }

  get name(): string {
    return this.json?.name ?? nameOfFolder(this.folder);
  }

  get live(): boolean {
    return LIVE.includes(this.state.status);
  }

  get resumable(): boolean {
    return RESUMABLE.includes(this.state.status);
  }

  /** Has been read at least once. */
  get known(): boolean {
    return this.kept !== undefined;
  }

  get held(): boolean {
    return this.holders > 0;
  }

  /** Complete while the run is live or held. */
  get reader(): RunReader {
    return this.reading;
  }

  summary(): RunSummary {
    const { status, step, steps, loss, validationLoss, reason } = this.state;
    return { id: this.json?.id ?? this.folder, name: this.name, folder: this.folder, status, step, steps, loss, validationLoss, reason };
  }

  /** Keeps what is read in memory until the disposal: all of it, from the next poll on. */
  hold(): { dispose(): void } {
    this.holders++;
    if (!this.reading.whole) this.reading = new RunReader(this.folder);
    let held = true;
    return {
      dispose: () => {
        if (held && --this.holders === 0 && !this.live) this.rest();
        held = false;
      },
    };
  }

  /** Reads what is new. True when there was something. */
  async poll(): Promise<boolean> {
    let news = await this.follow();
    // Whether all of a run is wanted is told from a look at it.
    if (this.live && !this.reading.whole) {
      this.reading = new RunReader(this.folder);
      news = (await this.follow()) || news;
    }
    return news;
  }

  private async follow(): Promise<boolean> {
    const { reading } = this;
    const news = await reading.poll();
    // Another one has begun to read, who will know more.
    if (reading !== this.reading && this.kept) return false;
    if (!news && this.kept) return false;
    this.kept = { run: reading.run, state: reading.state() };
    return true;
  }

  /** What could not be read and was not said yet. */
  takeWarnings(): string[] {
    const fresh = this.reading.warnings.filter((warning) => !this.told.has(warning));
    for (const warning of fresh) this.told.add(warning);
    return fresh;
  }

  /** Frees what was read of a run at rest; the next poll reads it again. */
  rest(): void {
    this.reading = new RunReader(this.folder, false);
  }
}
