/** The active run, in a few words; a click shows its dashboard. */
import * as vscode from "vscode";
import { formatNumber, formatPercent } from "../protocol/format";
import type { App } from "./app";
import { STATUS } from "./chooseRun";
import { runTooltip } from "./runsView";

export function registerStatusBar(app: App): vscode.Disposable[] {
  const item = vscode.window.createStatusBarItem("muonscope.activeRun", vscode.StatusBarAlignment.Left, 10);
  item.name = "Muonscope: Active Run";
  const show = () => {
    const run = app.runs.active;
    if (!run?.known) return item.hide();
    const { status, step, steps, loss } = run.state;
    const troubled = status === "failed" || status === "crashed";
    const done = steps ? ` ${formatPercent(step / steps)}` : ` step ${step}`;
    item.text = `$(${STATUS[status].icon}) ${run.name}${done}${loss === null ? "" : ` ${formatNumber(loss)}`}`;
    item.tooltip = runTooltip(run);
    item.command = { command: "muonscope.openDashboard", title: "Open Dashboard", arguments: [run.folder] };
    item.backgroundColor = troubled ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    item.accessibilityInformation = {
      label: `${run.name}, ${STATUS[status].text},${done}${loss === null ? "" : `, loss ${formatNumber(loss)}`}`,
    };
    item.show();
  };
  return [
    item,
    app.runs.onDidChangeActive(show),
    app.runs.onDidChangeList(show),
    app.runs.onDidChange((run) => {
      if (run === app.runs.active) show();
    }),
  ];
}
