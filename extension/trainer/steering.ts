/** Carries out orders at step boundaries, and remembers what they asked the loop to do. */
import type { Engine } from "./addon";
import type { ControlFile } from "./control";
import type { LogWriter } from "./logWriter";
import { readOrder, valuesBefore, type Deed, type Plan, type Steered } from "./orders";

export class Steering {
  lrFactor = 1;
  /** Why, while the run is paused. */
  paused: string | undefined;
  /** One step is to be made although the run is paused. */
  stepping = false;
  checkpointAsked = false;
  measureAsked = false;
  /** Why, once the run is to stop. */
  stopping: string | undefined;
  /** Orders that were read: their ids, and lines without one. */
  private readonly known = new Set<string>();
  private complained: string | undefined;

  constructor(
    private readonly control: ControlFile,
    private readonly engine: Engine,
    private readonly steered: Steered,
    private readonly log: LogWriter,
    private readonly say: (text: string) => void,
  ) {}

  /**
   * Orders that were there before a resumed run went on: what was answered is done with; a value that was set while
   * nobody listened is set now; an old pause or stop was meant for the process that is gone.
   */
  async takeOver(step: number, answered: ReadonlySet<string>): Promise<void> {
    for (const id of answered) this.known.add(id);
    do {
      for (const line of (await this.control.read()).lines) {
        const order = readOrder(line, this.steered);
        if (order.id === null || answered.has(order.id)) continue;
        if ("do" in order) {
          this.known.add(order.id);
          this.log.event({ type: "refused", step, order: order.id, reason: "given before the run was resumed; give it again" });
        } else this.take(line, step);
      }
    } while (this.control.more);
    this.complain(step);
  }

  /** New orders. `step`: the last one made. */
  async obey(step: number): Promise<void> {
    const { lines, anew } = await this.control.read();
    for (const line of lines) this.take(line, step, anew);
    this.complain(step);
  }

  /** Once, while orders cannot be read. */
  private complain(step: number): void {
    const { problem } = this.control;
    if (problem === this.complained) return;
    this.complained = problem;
    if (problem === undefined) return;
    const message = `Orders cannot be read: ${problem}. The run goes on, and looks again.`;
    this.log.event({ type: "alert", step, severity: "warning", message });
    this.say(message);
  }

  pause(step: number, reason: string): void {
    this.paused = reason;
    this.stepping = false;
    this.log.event({ type: "paused", step, reason });
    this.say(`Paused after step ${step}: ${reason}`);
  }

  resume(step: number): void {
    this.paused = undefined;
    this.log.event({ type: "resumed", step });
    this.say("Resumed.");
  }

  /** `anew`: the line comes from a file that was read before, or one in its place. */
  private take(line: string, step: number, anew = false): void {
    const order = readOrder(line, this.steered);
    const key = order.id ?? line;
    if (anew && this.known.has(key)) return;
    this.known.add(key);
    if ("refused" in order) this.refuse(order.id ?? "", step, order.refused);
    else if ("do" in order) this.do(order.do, order.id, step);
    else this.set(order, step);
  }

  private refuse(id: string, step: number, reason: string): void {
    this.log.event({ type: "refused", step, order: id, reason });
    this.say(`Order refused: ${reason}`);
  }

  private set(plan: Extract<Plan, { scope: string }>, step: number): void {
    const before = valuesBefore(plan, this.steered, this.lrFactor);
    try {
      for (const group of ["matrix", "auxiliary"] as const) {
        if (Object.keys(plan.groups[group]).length > 0) this.engine.set(group, plan.groups[group], plan.scope);
      }
    } catch (error) {
      this.refuse(plan.id, step, (error as Error).message);
      return;
    }
    if (plan.lrFactor !== undefined) this.lrFactor = plan.lrFactor;
    const { id, set, scope } = plan;
    this.log.event({ type: "applied", step: step + 1, order: id, set, ...(scope !== "*" && { scope }), before });
    this.say(`From step ${step + 1}: ${JSON.stringify(set)}${scope === "*" ? "" : ` for ${scope}`}`);
  }

  private do(deed: Deed, id: string, step: number): void {
    const ahead = deed === "measure" || deed === "step" || deed === "resume";
    this.log.event({ type: "applied", step: ahead ? step + 1 : step, order: id, do: deed });
    if (deed === "pause" && this.paused === undefined) this.pause(step, "ordered");
    else if (deed === "resume" && this.paused !== undefined) this.resume(step);
    else if (deed === "step") this.stepping = true;
    else if (deed === "checkpoint") this.checkpointAsked = true;
    else if (deed === "measure") this.measureAsked = true;
    else if (deed === "stop") this.stopping = "ordered";
  }
}
