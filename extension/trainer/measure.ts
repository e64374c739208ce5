/** What to measure when: everything at the first step and when asked to, then matrices in turn, within a share of the time. */
import type { DiagnosticDescription } from "../protocol/description";
import type { RunSpec } from "../protocol/runFile";
import type { MeasureRequest, ParameterInfo, StepResult } from "./addon";

/** How much of an old cost estimate stays when a new one comes: settles within some ten turns, and forgives an outlier. */
const INERTIA = 0.7;

/** Everything that is measured of one matrix: measured at the same step, so that its values belong together. */
interface Turn {
  requests: MeasureRequest[];
  /** Seconds; undefined until it was measured once. */
  cost: number | undefined;
}

export class MeasurePlan {
  private readonly turns: Turn[];
  private next = 0;
  /** Seconds that may be spent. */
  private credit = 0;
  private everything: boolean;
  private planned: Turn[] = [];
  private pending = 0;

  private readonly budget: number;

  constructor(spec: RunSpec["diagnostics"], parameters: readonly ParameterInfo[], diagnostics: readonly DiagnosticDescription[]) {
    this.budget = spec.budget;
    const wanted = diagnostics.flatMap(({ id }) => (spec.channels[id] ?? []).map((tap) => ({ channel: id, tap })));
    const matrices = parameters.filter(({ group }) => group === "matrix");
    this.turns = matrices.map(({ name }) => ({ requests: wanted.map((each) => ({ ...each, tensor: name })), cost: undefined }));
    this.everything = this.budget > 0;
  }

  /** From the next step on; once. */
  measureAll(): void {
    this.everything = true;
  }

  /** For the step that is about to be made. While the host works something out, nothing more than what was ordered. */
  requests(): MeasureRequest[] {
    this.planned = this.everything ? this.turns : this.isWaiting ? [] : this.affordable();
    return this.planned.flatMap((turn) => turn.requests);
  }

  private affordable(): Turn[] {
    const chosen: Turn[] = [];
    let left = this.credit;
    while (chosen.length < this.turns.length) {
      const turn = this.turns[this.next]!;
      if (left <= 0 || (turn.cost ?? 0) > left) break;
      // What it costs is found out with it alone.
      left -= turn.cost ?? left;
      chosen.push(turn);
      this.next = (this.next + 1) % this.turns.length;
    }
    return chosen;
  }

  /** Whether something that was asked for is not known yet. */
  get isWaiting(): boolean {
    return this.pending > 0;
  }

  /** All that was pending. */
  received(): void {
    this.pending = 0;
  }

  /** What the step took, so that the next ones keep within the budget. */
  learn({ pending, time }: StepResult): void {
    this.pending = pending;
    // Of everything at once, a GPU's step waits until the host has room for it: that is not what one turn costs.
    const isTypical = !(this.everything && pending > 0);
    for (const turn of isTypical ? this.planned : []) {
      const cost = time.diagnostics / this.planned.length;
      turn.cost = turn.cost === undefined ? cost : INERTIA * turn.cost + (1 - INERTIA) * cost;
    }
    this.credit += this.budget * (time.forwardBackward + time.optimizer);
    // What was ordered, and the first look, are not held against the turns.
    if (!this.everything) this.credit -= time.diagnostics;
    // Unspent credit allows for the dearest turn, not for a burst of them.
    const dearest = Math.max(...this.turns.map((turn) => turn.cost ?? 0));
    if (dearest > 0) this.credit = Math.min(this.credit, 2 * dearest);
    this.everything = false;
  }
}
