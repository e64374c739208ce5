/** Saves a run: a checkpoint when one is due, one that a run's end insists on, and how many are kept. */
import { setTimeout } from "node:timers/promises";
import { pruneCheckpoints, writeCheckpoint } from "./checkpoints";
import type { Session } from "./session";
import { UserError } from "../runs/userError";

/** A fault may pass: attempts at the last checkpoint, and milliseconds between them. As long as a person waits for a stop. */
const ATTEMPTS = 3;
const PAUSE = 1000;

/** `why`: a sentence. `advice`: what comes before another attempt; the engine's errors say themselves what to do. */
type Outcome = { file: string } | { why: string; advice: string };

export class Saver {
  /** Of the newest checkpoint; undefined before the first. */
  private saved: number | undefined;

  constructor(private readonly session: Session) {
    this.saved = session.step > 0 ? session.step : undefined;
  }

  /** When it cannot be written, this is said and the run goes on. `loss`: of step `step`, the last one made. */
  async save(step: number, loss: number | null): Promise<void> {
    const { log, steering, say } = this.session;
    const outcome = await this.attempt(loss);
    if ("file" in outcome) return;
    // The run waits for its log before the next step, and makes up for it then.
    const waits = log.problem !== undefined;
    if (waits) steering.checkpointAsked = true;
    const advice = waits ? " It will be once the log can be." : outcome.advice && ` ${outcome.advice}, then order another one.`;
    const message = `The checkpoint of step ${step} could not be written: ${outcome.why}${advice}`;
    log.event({ type: "alert", step, severity: "error", message });
    say(message);
  }

  /** What the run ends with, relative to its folder. `ending`: how it ends, a sentence's begin. Rejects with what is not saved. */
  async saveLast(step: number, loss: number | null, ending: string): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.attempt(loss);
      if ("file" in outcome) return outcome.file;
      const failure = `${ending}, but the checkpoint of step ${step} could not be written: ${outcome.why}`;
      if (attempt === ATTEMPTS) {
        const advice = outcome.advice && `${outcome.advice}, then resume it. `;
        throw new UserError(`${failure} ${advice}${this.unsaved}`);
      }
      if (attempt === 1) this.session.say(`${failure} Trying again.`);
      await setTimeout(PAUSE);
    }
  }

  /** What an end without a checkpoint loses. */
  get unsaved(): string {
    return this.saved === undefined
      ? "Nothing of the run is saved: it goes on from step 0."
      : `What came after step ${this.saved} is not saved: it goes on from step ${this.saved}.`;
  }

  isSaved(step: number): boolean {
    return this.saved === step;
  }

  private async attempt(loss: number | null): Promise<Outcome> {
    const { folder, engine, batches, steering, log, damaged } = this.session;
    try {
      await log.sync();
      if (log.problem) throw log.problem;
      const { step, tensors } = await engine.save();
      const knobs = Object.fromEntries(engine.parameters().map(({ name }) => [name, engine.values(name)]));
      const file = await writeCheckpoint(folder, { step, tensors, position: batches.position, lrFactor: steering.lrFactor, knobs });
      damaged.delete(file);
      log.event({ type: "checkpoint", step, file, loss });
      this.saved = step;
      await this.prune(step);
      return { file };
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException;
      return code === undefined ? { why: message, advice: "" } : { why: `${message}.`, advice: "Free space" };
    }
  }

  /** That an old one stays does no harm to the new one. */
  private async prune(step: number): Promise<void> {
    const { folder, spec, log, say, damaged } = this.session;
    try {
      await pruneCheckpoints(folder, spec.checkpoints.keep, step, damaged);
    } catch (error) {
      const message = `Old checkpoints could not be removed: ${(error as Error).message}. They take space until that works again.`;
      log.event({ type: "alert", step, severity: "warning", message });
      say(message);
    }
  }
}
