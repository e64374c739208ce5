/** The active run, in a few words; a click shows its dashboard. */
import type * as vscode from "vscode";
import { formatNumber, formatPercent } from "../protocol/format";
import type { App } from "./app";
import { STATUS } from "./chooseRun";
import { runTooltip } from "./runsView";
import { Status } from "./say";

export function registerStatusBar(app: App): vscode.Disposable[] {
  const item = new Status("muonscope.activeRun", "Muonscope: Active Run");
  const show = () => {
    const run = app.runs.active;
    if (!run?.known) return item.hide();
    const { status, step, steps, loss } = run.state;
    const done = steps ? ` ${formatPercent(step / steps)}` : ` step ${step}`;
    item.show({
      icon: STATUS[status].icon,
      text: `${run.name}${done}${loss === null ? "" : ` ${formatNumber(loss)}`}`,
      tooltip: runTooltip(run),
      spoken: `${run.name}, ${STATUS[status].text},${done}${loss === null ? "" : `, loss ${formatNumber(loss)}`}`,
      troubled: status === "failed" || status === "crashed",
      command: { command: "muonscope.openDashboard", title: "Open Dashboard", arguments: [run.folder] },
    });
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
