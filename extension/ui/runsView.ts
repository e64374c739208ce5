/** The Runs view: every run with its state, and below it what happened to it. */
import { basename } from "node:path";
import * as vscode from "vscode";
import { formatAge, formatCount, formatNumber } from "../protocol/format";
import { listCheckpoints, readEvents } from "../runs/runFolder";
import type { App } from "./app";
import { progressText, startText, STATUS } from "./chooseRun";
import { markersOf } from "./markers";
import type { Run } from "./run";
import { treeItem } from "./say";

interface Detail {
  label: string;
  description: string;
  icon: string;
  tooltip: string;
}

type Element = { run: Run } | { detail: Detail };

/** Milliseconds between changes of a row: a person reads no faster. Ages are brought up to date less often. */
const REFRESH = 500;
const AGES = 30_000;
/** Of a run: more than anyone reads in a tree. Of those before, a last row says how many they are. */
const MOST_ROWS = 500;

export function registerRunsView(app: App): vscode.Disposable[] {
  const tree = new RunsTree(app);
  const view = vscode.window.createTreeView("muonscope.runs", { treeDataProvider: tree, canSelectMany: true, showCollapseAll: false });
  const badge = () => {
    const live = app.runs.runs.filter((run) => run.live).length;
    view.badge = live > 0 ? { value: live, tooltip: live === 1 ? "1 live run" : `${live} live runs` } : undefined;
  };
  return [tree, view, app.runs.onDidChange(badge), app.runs.onDidChangeList(badge)];
}

class RunsTree implements vscode.TreeDataProvider<Element>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<Element | undefined>();
  readonly onDidChangeTreeData = this.changed.event;
  private readonly elements = new Map<Run, { run: Run }>();
  private readonly stale = new Set<Run>();
  private timer: NodeJS.Timeout | undefined;
  private readonly subscriptions: vscode.Disposable[];

  constructor(private readonly app: App) {
    const ages = setInterval(() => this.changed.fire(undefined), AGES);
    this.subscriptions = [
      app.runs.onDidChange((run) => this.later(run)),
      app.runs.onDidChangeList(() => this.changed.fire(undefined)),
      new vscode.Disposable(() => clearInterval(ages)),
    ];
  }

  getChildren(element?: Element): Element[] | Promise<Element[]> {
    if (!element) return this.app.runs.runs.map((run) => this.element(run));
    return "run" in element ? this.details(element.run) : [];
  }

  getTreeItem(element: Element): vscode.TreeItem {
    return "run" in element ? runTreeItem(element.run) : detailItem(element.detail);
  }

  dispose(): void {
    clearTimeout(this.timer);
    for (const each of this.subscriptions) each.dispose();
    this.changed.dispose();
  }

  private element(run: Run): { run: Run } {
    const element = this.elements.get(run) ?? { run };
    this.elements.set(run, element);
    return element;
  }

  private later(run: Run): void {
    this.stale.add(run);
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      for (const each of this.stale) this.changed.fire(this.element(each));
      this.stale.clear();
    }, REFRESH);
  }

  /** Alerts, interventions and checkpoints, the latest first. */
  private async details(run: Run): Promise<Element[]> {
    // Of a run at rest its state is known, and no more.
    const events = run.reader.whole ? run.events : await readEvents(run.folder);
    const alarming = events.filter((event) => event.type === "alert");
    const alerts = alarming.slice(-MOST_ROWS).map(({ step, severity, message }) => ({
      step,
      detail: {
        label: message,
        description: `step ${formatCount(step)}`,
        icon: severity,
        tooltip: message,
      },
    }));
    const interventions = markersOf(0, events, undefined).map((marker) => ({
      step: marker.step,
      detail: {
        label: marker.label,
        description: `step ${formatCount(marker.step)}`,
        icon: marker.kind === "set" ? "settings" : "debug-line-by-line",
        tooltip: `From step ${marker.step}: ${marker.detail}`,
      },
    }));
    const checkpoints = (await listCheckpoints(run.folder)).map(({ file, step }) => ({
      step,
      detail: { label: basename(file), description: `step ${formatCount(step)}`, icon: "archive", tooltip: file },
    }));
    const rows = [...alerts, ...interventions, ...checkpoints].sort((a, b) => b.step - a.step).slice(0, MOST_ROWS);
    const earlier = alarming.length + interventions.length + checkpoints.length - rows.length;
    const rest = { label: `${formatCount(earlier)} more`, description: "in the run's folder", icon: "ellipsis", tooltip: run.folder };
    return [...rows.map(({ detail }) => ({ detail })), ...(earlier > 0 ? [{ detail: rest }] : [])];
  }
}

function runTreeItem(run: Run): vscode.TreeItem {
  const { state } = run;
  const { icon, color, text } = STATUS[state.status];
  const age =
    state.updatedAt === null || !Number.isFinite(state.updatedAt) || run.live
      ? ""
      : ` · ${formatAge((Date.now() - state.updatedAt) / 1000)}`;
  return treeItem({
    id: run.folder,
    label: run.name,
    description: `${progressText(run)}${age}`,
    tooltip: runTooltip(run),
    spoken: `${run.name}, ${text}, step ${progressText(run)}${age}`,
    icon: new vscode.ThemeIcon(icon, color ? new vscode.ThemeColor(color) : undefined),
    expandable: true,
    context: `run.${state.status}`,
    command: { command: "muonscope.openDashboard", title: "Open Dashboard", arguments: [run.folder] },
  });
}

function detailItem({ label, description, icon, tooltip }: Detail): vscode.TreeItem {
  return treeItem({
    label,
    description,
    tooltip,
    spoken: `${label}, ${description}`,
    icon: new vscode.ThemeIcon(icon),
    expandable: false,
  });
}

/** In lines. */
export function runTooltip(run: Run): string {
  const { state } = run;
  return [
    `${run.name}: ${STATUS[state.status].text}`,
    `step ${progressText(run)}`,
    ...(state.validationLoss === null ? [] : [`validation loss ${formatNumber(state.validationLoss)}`]),
    ...(state.reason ? [state.reason.split("\n")[0]!] : []),
    ...(state.startedAt === null ? [] : [startText(state.startedAt)]),
    run.folder,
  ].join("\n");
}
