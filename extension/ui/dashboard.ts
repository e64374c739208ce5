/** The dashboard of one run: the host's end of its page. */
import { join } from "node:path";
import * as vscode from "vscode";
import { formatCompact, formatMemory } from "../protocol/format";
import type { Alert, FromDashboard, SetKnobMessage, ToDashboard } from "../protocol/panels";
import { TRAINER_LOG, type RunEvent, type RunJson, type RunStatus } from "../protocol/runFolder";
import { gpusOf } from "../protocol/runFile";
import { LOSS_TRAIN } from "../protocol/tags";
import { readTail } from "../runs/runFolder";
import type { App } from "./app";
import { controlsOf, orderKey } from "./knobs";
import { markersOf } from "./markers";
import { paceOf } from "./pace";
import { fromDashboard } from "./pageMessages";
import { Page } from "./page";
import type { Run } from "./run";
import { fail, retitle } from "./say";
import { knobOrder } from "./steer";

export class Dashboard extends Page<SetKnobMessage, ToDashboard> {
  static readonly viewType = "muonscope.dashboard";
  private logTail: string | null = null;

  constructor(
    app: App,
    readonly run: Run,
    panel: vscode.WebviewPanel,
  ) {
    super(app, panel, { name: "dashboard", title: run.name, read: fromDashboard });
    this.show([run]);
    this.register(
      app.orders.onDidChange((ordered) => {
        if (ordered === run) this.update();
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.update()),
    );
    this.load();
  }

  protected override source(): { folder: string } {
    return { folder: this.run.folder };
  }

  protected override messages(): ToDashboard[] {
    const { run, app } = this;
    const { reader, events, json, state } = run;
    retitle(this.panel, run.name);
    if (state.status === "failed" && this.logTail === null) void this.readLog();
    if (state.status !== "failed") this.logTail = null;
    const [reason, ...crashLog] = (state.reason ?? "").split("\n");
    const trusted = vscode.workspace.isTrusted;
    const steerable = trusted && json !== undefined;
    const { catalog, leftOut } = this.choices.of([reader]);
    return [
      {
        type: "run",
        name: run.name,
        folder: run.folder,
        subtitle: [subtitle(json, state.status), leftOut].filter(Boolean).join(" · "),
        detail: detail(json),
        catalog,
      },
      { type: "state", run: { ...run.summary(), reason: reason || null }, ...paceOf(reader, events, run.live ? state.steps : null) },
      {
        type: "record",
        markers: markersOf(0, events, reader.series(LOSS_TRAIN)),
        alerts: alertsOf(events.slice(lastStart(events))),
        log: crashLog.length > 0 ? crashLog.join("\n") : this.logTail || null,
      },
      {
        type: "controls",
        controls: json && run.live ? controlsOf(json, events, app.orders.pendingKnobs(run)) : [],
        status: state.status,
        can: { control: steerable && run.live, resume: steerable && run.resumable },
        cannot: run.live && !trusted ? "This workspace is not trusted: runs can be looked at, but not steered." : null,
        pending: app.orders.pendingDeeds(run),
      },
    ];
  }

  protected override async handle(message: FromDashboard): Promise<void> {
    if (message.type !== "setKnob") return;
    const { knob, group, value, scope } = message;
    try {
      await this.app.orders.give(this.run, knobOrder(orderKey(knob, group), value, scope));
    } catch (error) {
      void fail((error as Error).message);
    }
  }

  private async readLog(): Promise<void> {
    this.logTail = "";
    this.logTail = await readTail(join(this.run.folder, TRAINER_LOG));
    this.update();
  }
}

/** What was alarming before its user let the run go on is history: the Runs view keeps it. */
const lastStart = (events: readonly RunEvent[]): number =>
  Math.max(
    0,
    events.findLastIndex(({ type }) => type === "started" || type === "resumed"),
  );

/** The page shows a few. */
const MOST_ALERTS = 100;

function alertsOf(events: readonly RunEvent[]): { latest: Alert[]; earlier: number } {
  const all = events.filter((event) => event.type === "alert");
  const latest = all.slice(-MOST_ALERTS).map(({ severity, step, message }) => ({ severity, step, message }));
  return { latest, earlier: all.length - latest.length };
}

/** Preset, size, data and machine in a line. */
function subtitle(json: RunJson | undefined, status: RunStatus): string {
  if (!json) return status === "starting" ? "" : "a log that another tool wrote";
  const { model, preset, backend } = json.spec;
  const parameters = json.parameters.reduce((sum, { rows, cols }) => sum + rows * cols, 0);
  const id = json.backend.id || backend;
  return `${preset} · ${model.layers} × ${model.width}, context ${model.context} · ${formatCompact(parameters)} parameters · ${formatCompact(json.data.trainTokens)} tokens · ${id}`;
}

/** What it runs on and what it takes there. The backend tells of the model's GPU alone. */
function detail(json: RunJson | undefined): string {
  if (!json) return "";
  const { backend, memory, spec } = json;
  const ranks = gpusOf(spec).length > 1 ? `Ranks on ${backend.device}` : "";
  return [backend.detail, ranks, memory ? `Needs ${formatMemory(memory)}` : ""].filter(Boolean).join("\n");
}
