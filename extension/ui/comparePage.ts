/** Two or more runs beside each other: the host's end of the page. */
import * as vscode from "vscode";
import type { AddRunsMessage, FromCompare, OneRunMessage, SetTargetMessage, TargetMessage, ToCompare } from "../protocol/panels";
import { LOSS_TRAIN, LOSS_VALIDATION } from "../protocol/tags";
import { differences, tokensPerStep, toTarget, trainingSeconds } from "../runs/compare";
import type { App } from "./app";
import { chooseRuns } from "./chooseRun";
import { markersOf } from "./markers";
import { Page } from "./page";
import { fromCompare, type CompareSource } from "./pageMessages";
import type { Run } from "./run";

export class ComparePage extends Page<SetTargetMessage | AddRunsMessage | OneRunMessage, ToCompare> {
  static readonly viewType = "muonscope.compare";
  private slots = new Map<Run, number>();
  private target: number | null = null;
  /** What of its runs cannot be chosen in the page, as the log has it. */
  private leftOut = "";

  private constructor(app: App, panel: vscode.WebviewPanel) {
    super(app, panel, { name: "compare", title: "Compare Runs", read: fromCompare });
  }

  static async open(app: App, panel: vscode.WebviewPanel, runs: readonly Run[]): Promise<ComparePage> {
    const page = new ComparePage(app, panel);
    page.slots = new Map(runs.map((run, slot) => [run, slot]));
    await page.start();
    return page;
  }

  static async restore(app: App, panel: vscode.WebviewPanel, source: CompareSource): Promise<void> {
    const page = new ComparePage(app, panel);
    page.slots = new Map(source.runs.map(({ folder, slot }) => [app.runs.of(folder), slot]));
    await page.start();
  }

  protected override source(): CompareSource {
    return { runs: [...this.slots].map(([run, slot]) => ({ folder: run.folder, slot })) };
  }

  protected override messages(): ToCompare[] {
    const { runs, target } = this;
    const { catalog, leftOut } = this.choices.of(runs.map(({ reader }) => reader));
    if (leftOut !== this.leftOut) this.app.log.info(`Compare Runs shows ${leftOut || "all again"}.`);
    this.leftOut = leftOut;
    return [
      { type: "runs", source: this.source(), runs: runs.map((run) => ({ ...run.summary(), slot: this.slots.get(run)! })) },
      {
        type: "comparison",
        catalog,
        markers: runs.flatMap((run, i) => markersOf(i, run.events, run.reader.series(LOSS_TRAIN), runs.length)),
        differences: differences(runs.map((run) => run.json?.spec)).map(({ key, values }) => ({
          path: key,
          values: values.map((value) => value ?? null),
        })),
      },
      ...(target === null ? [] : [this.targetMessage(target)]),
    ];
  }

  protected override async handle(message: FromCompare): Promise<void> {
    switch (message.type) {
      case "setTarget":
        this.target = message.loss;
        this.update();
        break;
      case "addRuns":
        await this.choose((await chooseRuns(this.app, this.runs)) ?? this.runs);
        break;
      case "removeRun":
        this.slots.delete(this.shownRun(message.run));
        this.show([...this.slots.keys()]);
        break;
      case "openRun":
        await vscode.commands.executeCommand("muonscope.openDashboard", this.shownRun(message.run).folder);
        break;
    }
  }

  /** A page speaks of its own runs. */
  private shownRun(folder: string): Run {
    const run = this.runs.find((each) => each.folder === folder);
    if (!run) throw new Error(`compare page: expected one of its runs, received ${JSON.stringify(folder)}`);
    return run;
  }

  private async start(): Promise<void> {
    this.show([...this.slots.keys()]);
    this.load();
    await this.read();
  }

  /** Shows these; those that are new get the first free slot each. */
  private async choose(runs: readonly Run[]): Promise<void> {
    for (const run of this.slots.keys()) if (!runs.includes(run)) this.slots.delete(run);
    for (const run of runs) {
      if (this.slots.has(run)) continue;
      const taken = new Set(this.slots.values());
      let slot = 0;
      while (taken.has(slot)) slot++;
      this.slots.set(run, slot);
    }
    this.show([...this.slots.keys()]);
    await this.read();
  }

  private async read(): Promise<void> {
    for (const run of this.runs) await this.app.runs.read(run);
  }

  private targetMessage(loss: number): TargetMessage {
    const rows = this.runs.map(({ reader, events, json }) => {
      const series = reader.series(LOSS_VALIDATION);
      if (!series) return null;
      const found = toTarget(series, trainingSeconds(series.times, events), loss, json ? tokensPerStep(json.spec) : null);
      return found.reached ? { step: found.step, seconds: found.seconds, tokens: found.tokens } : { best: found.best };
    });
    return { type: "target", loss, rows };
  }
}
