/**
 * The runs of the workspace: finds them, follows the live ones, says what changed. Looks often at runs that are on the
 * screen, once a second at other live ones, and at the size of the log only at those at rest.
 */
import { join } from "node:path";
import * as vscode from "vscode";
import { EVENTS_JSONL } from "../protocol/runFolder";
import { sizeOf } from "../runs/files";
import { listRuns } from "../runs/list";
import { Run } from "./run";
import type { Log } from "./say";
import { refreshInterval, runsFolders } from "./settings";
import { Throttle } from "./throttle";

/** Milliseconds between looks at live runs that nobody sees, and between looks for new runs. */
const UNSEEN_INTERVAL = 1000;
const LIST_INTERVAL = 2000;
/** Between two words on which runs there are: many are found at once. */
const LIST_REST = 100;
/** What cannot be read is tried again after a while that doubles, from the first to the last of these. */
const TROUBLE = { first: 1000, last: 60_000 };

export class RunStore implements vscode.Disposable {
  private readonly byFolder = new Map<string, Run>();
  private readonly changed = new vscode.EventEmitter<Run>();
  private readonly listed = new vscode.EventEmitter<void>();
  private readonly activated = new vscode.EventEmitter<void>();
  /** A run has something new. */
  readonly onDidChange = this.changed.event;
  /** Runs came or went. */
  readonly onDidChangeList = this.listed.event;
  readonly onDidChangeActive = this.activated.event;
  private readonly restingSize = new Map<string, number>();
  private readonly seen = new Map<Run, number>();
  private polledAt = new WeakMap<Run, number>();
  /** What cannot be read, by its folder: what was said of it, and when it is tried again. */
  private readonly troubles = new Map<string, { said: string; wait: number; again: number }>();
  private readonly listing = new Throttle(LIST_REST, () => this.listed.fire());
  private chosen: Run | undefined;
  private timer: NodeJS.Timeout | undefined;
  private listedAt = -Infinity;
  private looking = false;
  private disposed = false;
  /** All runs that were there at the start have been read. */
  readonly found: Promise<void>;

  constructor(private readonly log: Log) {
    this.found = this.tick();
  }

  /** Newest first. */
  get runs(): Run[] {
    return [...this.byFolder.values()].filter((run) => run.known).sort((a, b) => startOf(b) - startOf(a));
  }

  get(folder: string): Run | undefined {
    return this.byFolder.get(folder);
  }

  /** The run last looked at or started; else the newest live one. */
  get active(): Run | undefined {
    return this.chosen ?? this.runs.find((run) => run.live);
  }

  set active(run: Run | undefined) {
    if (run === this.chosen) return;
    this.chosen = run;
    this.activated.fire();
  }

  /** The run of a folder, anywhere on disk. It stays while it is held, or is found in a runs folder. */
  of(folder: string): Run {
    const run = this.byFolder.get(folder) ?? new Run(folder);
    this.byFolder.set(folder, run);
    return run;
  }

  /** While shown, the run is followed at the pages' rate and its numbers stay in memory. */
  show(run: Run): vscode.Disposable {
    const hold = run.hold();
    this.seen.set(run, (this.seen.get(run) ?? 0) + 1);
    // The next look was planned for when nobody watched.
    this.schedule();
    return new vscode.Disposable(() => {
      hold.dispose();
      const left = (this.seen.get(run) ?? 1) - 1;
      if (left > 0) this.seen.set(run, left);
      else this.seen.delete(run);
    });
  }

  /** Looks for runs and at all of them now. */
  async refresh(): Promise<void> {
    this.listedAt = -Infinity;
    this.restingSize.clear();
    this.polledAt = new WeakMap();
    this.troubles.clear();
    await this.look();
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
    this.listing.dispose();
    for (const emitter of [this.changed, this.listed, this.activated]) emitter.dispose();
  }

  private async tick(): Promise<void> {
    this.looking = true;
    await this.look();
    this.looking = false;
    this.schedule();
  }

  private schedule(): void {
    clearTimeout(this.timer);
    if (this.disposed || this.looking) return;
    this.timer = setTimeout(() => void this.tick(), this.seen.size > 0 ? refreshInterval() : UNSEEN_INTERVAL);
  }

  private async look(): Promise<void> {
    const now = Date.now();
    if (now - this.listedAt >= LIST_INTERVAL) {
      this.listedAt = now;
      await this.attempt("", () => this.list());
    }
    for (const run of this.byFolder.values()) {
      const wait = this.seen.has(run) ? 0 : UNSEEN_INTERVAL;
      if (!this.byFolder.has(run.folder) || now - (this.polledAt.get(run) ?? -Infinity) < wait) continue;
      await this.attempt(run.folder, async () => {
        if (run.known && !run.live && !(await this.wakes(run))) return;
        this.polledAt.set(run, now);
        await this.read(run);
      });
    }
  }

  /** One run that cannot be read keeps nobody from the others, and says so once. `what`: its folder; of the list, nothing. */
  private async attempt(what: string, look: () => Promise<void>): Promise<void> {
    const trouble = this.troubles.get(what);
    if (trouble && Date.now() < trouble.again) return;
    try {
      await look();
      this.troubles.delete(what);
    } catch (error) {
      const said = `${what}${what && ": "}${(error as Error).message}`;
      if (said !== trouble?.said) this.log.error(said);
      const wait = Math.min(TROUBLE.last, trouble ? 2 * trouble.wait : TROUBLE.first);
      this.troubles.set(what, { said, wait, again: Date.now() + wait });
    }
  }

  private async list(): Promise<void> {
    const found = new Set((await Promise.all(runsFolders().map(listRuns))).flat());
    let news = false;
    for (const folder of found) {
      if (this.byFolder.has(folder)) continue;
      this.byFolder.set(folder, new Run(folder));
      news = true;
    }
    for (const [folder, run] of this.byFolder) {
      // A run from elsewhere stays as long as a page shows it.
      if (found.has(folder) || run.held) continue;
      this.byFolder.delete(folder);
      this.restingSize.delete(folder);
      this.troubles.delete(folder);
      if (this.chosen === run) this.active = undefined;
      news = true;
    }
    if (news) this.listing.ask();
  }

  /** Whether a run at rest is written to again. */
  private async wakes(run: Run): Promise<boolean> {
    const size = await eventsSize(run.folder);
    return this.restingSize.get(run.folder) !== size;
  }

  /** Reads what is new in a run. Rejects when it cannot be read. */
  async read(run: Run): Promise<void> {
    const wasKnown = run.known;
    // Before reading: what is written meanwhile is another size later.
    this.restingSize.set(run.folder, await eventsSize(run.folder));
    const news = await run.poll();
    for (const warning of run.takeWarnings()) this.log.warn(`${run.name}: ${warning}`);
    if (this.disposed) return;
    if (news) this.changed.fire(run);
    if (!wasKnown) this.listing.ask();
    if (!run.live && !run.held) run.rest();
  }
}

/** Milliseconds since the epoch; a run that is about to start is the newest, one that names no time the oldest. */
function startOf({ state: { startedAt } }: Run): number {
  if (startedAt === null) return Number.MAX_VALUE;
  return Number.isNaN(startedAt) ? -Number.MAX_VALUE : startedAt;
}

const eventsSize = async (folder: string): Promise<number> => (await sizeOf(join(folder, EVENTS_JSONL))) ?? 0;
