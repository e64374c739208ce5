/** The training loop: orders, a step, its log; validation and checkpoints when they are due. */
import { setTimeout } from "node:timers/promises";
import { LOSS_VALIDATION } from "../protocol/tags";
import { tokensPerStep } from "../runs/compare";
import { UserError } from "../runs/userError";
import { validationBatches } from "./batches";
import { MeasurePlan } from "./measure";
import { peakMemory } from "./peakMemory";
import type { Loss } from "./presence";
import { ProgressLine } from "./progress";
import { Saver } from "./saver";
import { scheduleFactor } from "./schedule";
import type { Session } from "./session";
import type { Measurement, StepResult } from "./addon";
import { measuredValues, stepValues } from "./telemetry";

/** Milliseconds between looks for orders while paused: answers at once to a person, costs nothing. */
const IDLE = 50;
/** Milliseconds between attempts to write to a disk that is full or faulty. */
const RETRY = 1000;
/** Steps between the finer numbers of the optimizer's phases, which cost a GPU some of its overlap. */
const PHASES_EVERY = 10;
/** Of the estimate of time left: as long a memory as some 20 steps. */
const INERTIA = 0.95;

export class Loop {
  private readonly plan: MeasurePlan;
  private readonly saver: Saver;
  private readonly started = performance.now();
  /** The last one made. */
  private step: number;
  private loss: number | null = null;
  private validationLoss: number | null = null;
  private secondsPerStep: number | undefined;
  private outputIsLost = false;
  private readonly tokensPerStep: number;

  constructor(
    private readonly session: Session,
    private readonly progress: ProgressLine,
  ) {
    this.step = session.step;
    this.tokensPerStep = tokensPerStep(session.spec);
    this.saver = new Saver(session);
    this.plan = new MeasurePlan(session.spec.diagnostics, session.engine.parameters(), session.description.diagnostics);
  }

  /** The terminal is gone, or the disk with trainer.log is full: said once where it can be, and no reason to end. */
  outputFailed(error: Error): void {
    if (this.outputIsLost) return;
    this.outputIsLost = true;
    const message = `What the trainer prints cannot be written: ${error.message}. The run goes on; its log has the numbers.`;
    this.session.log.event({ type: "alert", step: this.step, severity: "warning", message });
  }

  /** Until the last step is made or the run is stopped. Rejects when the engine fails; the run's folder tells it then. */
  async run(): Promise<void> {
    try {
      await this.train();
    } catch (error) {
      this.session.log.event({ type: "failed", step: this.step, message: (error as Error).message });
      throw error;
    }
  }

  private async train(): Promise<void> {
    const { steering, spec } = this.session;
    if (this.step === 0) await this.validate();
    while (this.step < spec.steps) {
      await this.boundary();
      await this.untilWritable();
      if (steering.stopping !== undefined) return this.stop(steering.stopping);
      if (steering.checkpointAsked) {
        steering.checkpointAsked = false;
        await this.saver.save(this.step, this.loss);
      }
      if (steering.measureAsked) this.plan.measureAll();
      steering.measureAsked = false;
      if (steering.paused !== undefined && !steering.stepping) {
        await this.awaitMeasured();
        await setTimeout(IDLE);
      } else await this.makeStep();
    }
    await this.finish();
  }

  /** Between steps: whether this is still a run, and what it is to do. */
  private async boundary(): Promise<void> {
    const { steering, presence } = this.session;
    await this.endIfLost(await presence.missing());
    await steering.obey(this.step);
  }

  private async endIfLost(loss: Loss | undefined): Promise<void> {
    if (!loss) return;
    const { folder } = this.session;
    if (loss.isOwn && this.step > 0) await this.saver.save(this.step, this.loss);
    const advice = loss.isOwn ? "Put it back, then resume the run." : "If it was moved, resume the run where it is now.";
    throw new UserError(
      `${folder} is no longer the folder of this run: ${loss.how}. The run ends after step ${this.step}. ${this.saver.unsaved} ${advice}`,
    );
  }

  private async makeStep(): Promise<void> {
    const { engine, batches, spec, steering, log } = this.session;
    const begin = performance.now();
    const step = this.step + 1;
    const lrScale = scheduleFactor(step, spec) * steering.lrFactor;
    const phases = (step - 1) % PHASES_EVERY === 0;
    const result = await engine.step(batches.next(), { lrScale, clip: spec.clip, measure: this.plan.requests(), phases });
    this.plan.learn(result);
    this.logMeasured(result.measurements);
    if (!result.applied) return this.notFinite(step, result);
    this.step = step;
    this.loss = result.loss;
    const seconds = (performance.now() - begin) / 1000;
    log.values(step, this.valuesOf(result, lrScale, seconds));
    log.stepDone();
    this.secondsPerStep = this.secondsPerStep === undefined ? seconds : INERTIA * this.secondsPerStep + (1 - INERTIA) * seconds;
    this.show(step === spec.steps);
    const due = (every: number): boolean => every > 0 && step % every === 0 && step < spec.steps;
    if (due(spec.validation.every)) {
      await this.validate();
      this.logMemory();
    }
    if (due(spec.checkpoints.every)) await this.saver.save(step, this.loss);
    if (steering.stepping) {
      steering.stepping = false;
      if (steering.paused === undefined) steering.pause(step, "after a single step");
    }
  }

  private logMeasured(measurements: readonly Measurement[]): void {
    for (const [step, values] of measuredValues(measurements)) this.session.log.values(step, values);
  }

  /** Before the run rests or ends: nothing that was measured is lost. */
  private async awaitMeasured(): Promise<void> {
    if (!this.plan.isWaiting) return;
    this.logMeasured(await this.session.engine.measured());
    this.plan.received();
  }

  private valuesOf(result: StepResult, lrScale: number, seconds: number): ReturnType<typeof stepValues> {
    const { engine } = this.session;
    const lr = (group: "matrix" | "auxiliary"): number => {
      const first = engine.parameters().find((each) => each.group === group);
      return first ? Number(engine.values(first.name)["lr"]) * lrScale : 0;
    };
    return stepValues(result, {
      learningRate: lr("matrix"),
      auxiliaryLearningRate: lr("auxiliary"),
      seconds,
      tokens: this.tokensPerStep,
    });
  }

  private show(always: boolean): void {
    const { spec } = this.session;
    const progress = {
      step: this.step,
      steps: spec.steps,
      loss: this.loss!,
      validationLoss: this.validationLoss,
      tokensPerSecond: this.tokensPerStep / this.secondsPerStep!,
      secondsLeft: (spec.steps - this.step) * this.secondsPerStep!,
    };
    this.progress.show(progress, always);
  }

  /** Weights and state are as they were before the step; the next attempt takes the next batch. */
  private notFinite(step: number, result: StepResult): void {
    const { log, steering } = this.session;
    const where = result.nonFinite === "loss" ? `the loss is ${result.loss}` : `the gradient of ${result.nonFinite} is not finite`;
    const message = `Step ${step} was not applied: ${where}. Lower the learning rate (lrFactor), or resume to try the next batch.`;
    log.event({ type: "alert", step: this.step, severity: "error", message });
    steering.pause(this.step, message);
  }

  private async validate(): Promise<void> {
    const { data, spec, engine, log } = this.session;
    if (!data.validation) return;
    let sum = 0;
    let count = 0;
    for (const tokens of validationBatches(data.validation, spec)) {
      sum += await engine.evaluate(tokens);
      count++;
    }
    this.validationLoss = sum / count;
    log.values(this.step, [{ tag: LOSS_VALIDATION, shape: "scalar", value: this.validationLoss }]);
  }

  /** How much memory the trainer took at most. */
  private logMemory(): void {
    this.session.log.values(this.step, [{ tag: "memory/peak_rss", shape: "scalar", value: peakMemory() }]);
  }

  /**
   * A disk that is full or faulty: the run waits, with all that is unwritten in memory, until it can write again. Orders are obeyed
   * meanwhile, a stop among them.
   */
  private async untilWritable(): Promise<void> {
    const { log, steering, folder, say } = this.session;
    if (!log.problem || steering.stopping !== undefined) return;
    const reason = `${folder} cannot be written to (${log.problem.message}). Free space; the run goes on by itself then.`;
    log.event({ type: "alert", step: this.step, severity: "error", message: reason });
    log.event({ type: "paused", step: this.step, reason });
    say(reason);
    let tried = performance.now();
    while (log.problem && steering.stopping === undefined) {
      await setTimeout(IDLE);
      await this.boundary();
      if (performance.now() - tried < RETRY) continue;
      await log.flush();
      tried = performance.now();
    }
    if (steering.stopping !== undefined) return;
    if (steering.paused === undefined) steering.resume(this.step);
    else log.event({ type: "paused", step: this.step, reason: steering.paused });
  }

  private async stop(reason: string): Promise<void> {
    const { log } = this.session;
    await this.awaitMeasured();
    await this.endIfLost(await this.session.presence.look());
    const ending = `Stopped (${reason}) after step ${this.step}`;
    const checkpoint = this.step > 0 ? await this.saver.saveLast(this.step, this.loss, ending) : null;
    log.event({ type: "stopped", step: this.step, reason, checkpoint });
    this.progress.say(`Stopped after step ${this.step}.${checkpoint ? ` Go on: npm run train -- --resume ${this.session.folder}` : ""}`);
  }

  private async finish(): Promise<void> {
    const { log } = this.session;
    await this.awaitMeasured();
    await this.validate();
    await log.flush();
    await this.untilWritable();
    await this.endIfLost(await this.session.presence.look());
    this.logMemory();
    if (!this.saver.isSaved(this.step)) await this.saver.saveLast(this.step, this.loss, `All ${this.step} steps are made`);
    const seconds = (performance.now() - this.started) / 1000;
    log.event({ type: "finished", step: this.step, loss: this.loss, validationLoss: this.validationLoss, seconds });
    const validation = this.validationLoss === null ? "" : `, validation loss ${this.validationLoss.toFixed(4)}`;
    this.progress.say(`Finished ${this.step} steps in ${seconds.toFixed(1)} s: loss ${this.loss?.toFixed(4)}${validation}.`);
  }
}
