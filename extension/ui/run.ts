/** One run as the editor knows it: always its summary, and all its numbers while someone looks at it or it is live. */
import type { RunSummary } from "../protocol/panels";
import type { RunEvent, RunJson, RunState } from "../protocol/runFolder";
import { nameOfFolder } from "../runs/newFolder";
import { RunReader } from "../runs/runFolder";

const LIVE: readonly RunState["status"][] = ["starting", "running", "paused"];
const RESUMABLE: readonly RunState["status"][] = ["paused", "stopped", "failed", "crashed"];

export class Run {
  private reading: RunReader;
  private holders = 0;
  private kept: { run: RunJson | undefined; state: RunState; events: readonly RunEvent[] } | undefined;
  /** Warnings that were said: reading the run again is no reason to say them again. */
  private readonly told = new Set<string>();

  constructor(readonly folder: string) {
    this.reading = new RunReader(folder);
  }

  get json(): RunJson | undefined {
    return this.kept?.run;
  }

  get events(): readonly RunEvent[] {
    return this.kept?.events ?? [];
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

  /** Keeps the numbers in memory until the disposal. */
  hold(): { dispose(): void } {
    this.holders++;
    let held = true;
    return {
      dispose: () => {
        if (held) this.holders--;
        held = false;
      },
    };
  }

  /** Reads what is new. True when there was something. */
  async poll(): Promise<boolean> {
    const news = await this.reading.poll();
    if (!news && this.kept) return false;
    this.kept = { run: this.reading.run, state: this.reading.state(), events: this.reading.events };
    return true;
  }

  /** What could not be read and was not said yet. */
  takeWarnings(): string[] {
    const fresh = this.reading.warnings.filter((warning) => !this.told.has(warning));
    for (const warning of fresh) this.told.add(warning);
    return fresh;
  }

  /** Frees the numbers of a run at rest; the next poll reads them again. */
  rest(): void {
    this.reading = new RunReader(this.folder);
  }
}
