/** Gives orders to live runs and follows them until the trainer has answered. */
import * as vscode from "vscode";
import type { KnobValue } from "../protocol/description";
import type { RunEvent } from "../protocol/runFolder";
import { order, type NewOrder } from "../runs/order";
import type { Run } from "./run";
import type { RunStore } from "./runStore";
import { warn, type Log } from "./say";

export type Answer = Extract<RunEvent, { type: "applied" | "refused" }>;

interface Waiting {
  run: Run;
  what: NewOrder;
  resolve: (answer: Answer | undefined) => void;
}

export class Orders implements vscode.Disposable {
  private readonly waiting = new Map<string, Waiting>();
  private readonly changed = new vscode.EventEmitter<Run>();
  /** An order was given or answered. */
  readonly onDidChange = this.changed.event;
  private readonly subscription: vscode.Disposable;

  constructor(
    runs: RunStore,
    private readonly log: Log,
  ) {
    this.subscription = runs.onDidChange((run) => this.look(run));
  }

  /** Resolves when the trainer has answered; with undefined when it ended before. Rejects when the run cannot be written to. */
  async give(run: Run, what: NewOrder): Promise<Answer | undefined> {
    if (!vscode.workspace.isTrusted) throw new Error("In an untrusted workspace runs can be looked at, but not steered.");
    if (!run.live) throw new Error(`${run.name} is ${run.state.status}: only a live run takes orders.`);
    const id = await order(run.folder, what);
    this.log.info(`${run.name}: ordered ${JSON.stringify(what)}`);
    return new Promise((resolve) => {
      this.waiting.set(id, { run, what, resolve });
      this.changed.fire(run);
      this.look(run);
    });
  }

  /** Names of orders `do` that are on their way. */
  pendingDeeds(run: Run): string[] {
    return this.of(run).flatMap(({ what }) => ("do" in what ? [what.do] : []));
  }

  /** Values on their way, by knob as orders name it. */
  pendingKnobs(run: Run): Map<string, { value: KnobValue; scope: string | null }> {
    const values = this.of(run).flatMap(({ what }) =>
      "set" in what ? Object.entries(what.set).map(([knob, value]) => [knob, { value, scope: what.scope ?? null }] as const) : [],
    );
    return new Map(values);
  }

  dispose(): void {
    for (const { resolve } of this.waiting.values()) resolve(undefined);
    this.waiting.clear();
    this.subscription.dispose();
    this.changed.dispose();
  }

  private of(run: Run): Waiting[] {
    return [...this.waiting.values()].filter((each) => each.run === run);
  }

  private look(run: Run): void {
    const open = this.of(run).length;
    if (open === 0) return;
    for (const event of run.events) {
      if (event.type !== "applied" && event.type !== "refused") continue;
      this.settle(event.order, event);
      if (this.of(run).length === 0) break;
    }
    if (!run.live) for (const [id, each] of this.waiting) if (each.run === run) this.settle(id, undefined);
    if (this.of(run).length !== open) this.changed.fire(run);
  }

  private settle(id: string, answer: Answer | undefined): void {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    this.waiting.delete(id);
    if (answer?.type === "refused") {
      this.log.warn(`${waiting.run.name}: refused ${JSON.stringify(waiting.what)}: ${answer.reason}`);
      void warn(`${waiting.run.name} refused the order. ${answer.reason}`);
    }
    waiting.resolve(answer);
  }
}
