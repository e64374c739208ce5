/** Which run a command is about: the one it was given, else the active one, else the one that its user chooses. */
import * as vscode from "vscode";
import { formatCount, formatNumber } from "../protocol/format";
import type { App } from "./app";
import { Run } from "./run";
import { inform, pick, pickSeveral } from "./say";

/** Codicon and word for each status. */
export const STATUS: Record<Run["state"]["status"], { icon: string; color?: string; text: string }> = {
  starting: { icon: "loading~spin", text: "starting" },
  running: { icon: "play-circle", color: "charts.green", text: "running" },
  paused: { icon: "debug-pause", color: "charts.yellow", text: "paused" },
  finished: { icon: "pass", color: "charts.blue", text: "finished" },
  stopped: { icon: "stop-circle", text: "stopped" },
  failed: { icon: "error", color: "charts.red", text: "failed" },
  crashed: { icon: "error", color: "charts.red", text: "crashed" },
  unknown: { icon: "circle-outline", text: "log only" },
};

/** `412/1,000 · loss 1.732`. */
export function progressText({ state }: Run): string {
  const step = state.steps === null ? formatCount(state.step) : `${formatCount(state.step)}/${formatCount(state.steps)}`;
  return `${step}${state.loss === null ? "" : ` · loss ${formatNumber(state.loss)}`}`;
}

/** Made once: a Date makes its own for every text, and a folder can hold thousands of runs. */
const WHEN = new Intl.DateTimeFormat(undefined, {
  ...{ year: "numeric", month: "numeric", day: "numeric" },
  ...{ hour: "numeric", minute: "numeric", second: "numeric" },
});

/** Milliseconds since the epoch that no Date goes beyond (ECMA-262, 21.4.1.1). */
const LAST_DATE = 8.64e15;

/** `started 1/31/2026, 2:05:09 PM`; a record may name a time that is none. */
export const startText = (startedAt: number): string =>
  Math.abs(startedAt) <= LAST_DATE ? `started ${WHEN.format(startedAt)}` : "started at an unknown time";

/** What menus, tests and other commands pass: a tree item, a run's folder, or a URI of it. */
export function runOf(app: App, argument: unknown): Run | undefined {
  if (argument instanceof Run) return argument;
  if (typeof argument === "string") return app.runs.of(argument);
  if (argument instanceof vscode.Uri) return app.runs.of(argument.fsPath);
  if (typeof argument === "object" && argument !== null && "run" in argument && argument.run instanceof Run) return argument.run;
  return undefined;
}

/** `fits`: the runs that the command can be about. Undefined: none was chosen. */
export async function chooseRun(
  app: App,
  argument: unknown,
  placeHolder: string,
  fits: (run: Run) => boolean = () => true,
): Promise<Run | undefined> {
  const given = runOf(app, argument);
  if (given) return given;
  await app.runs.found;
  const { active } = app.runs;
  if (active && fits(active)) return active;
  const possible = app.runs.runs.filter(fits);
  if (possible.length === 0) {
    void inform(app.runs.runs.length === 0 ? "There is no run yet." : "There is no run in a state for this.");
    return undefined;
  }
  if (possible.length === 1) return possible[0];
  return (await pick(possible.map(runItem), { placeHolder, matchOnDescription: true }))?.run;
}

export const runItem = (run: Run): vscode.QuickPickItem & { run: Run } => ({
  run,
  label: run.name,
  iconPath: new vscode.ThemeIcon(STATUS[run.state.status].icon),
  description: `${STATUS[run.state.status].text} · ${progressText(run)}`,
  detail: run.state.startedAt === null ? run.folder : startText(run.state.startedAt),
});

/** Two or more of them, those of `picked` ticked. Undefined: nothing was chosen. */
export async function chooseRuns(app: App, picked: readonly Run[]): Promise<Run[] | undefined> {
  const runs = [...new Set([...picked, ...app.runs.runs])];
  if (runs.length < 2) {
    void inform("There are not yet two runs to compare.");
    return undefined;
  }
  const items = runs.map((run) => ({ ...runItem(run), picked: picked.includes(run) }));
  const chosen = await pickSeveral(items, {
    // What was ticked is not to be lost to a click beside it.
    ignoreFocusOut: true,
    title: "Compare Runs",
    placeHolder: "Two or more runs",
    matchOnDescription: true,
  });
  if (chosen?.length === 1) void inform("Choose two runs or more.");
  return chosen && chosen.length >= 2 ? chosen.map(({ run }) => run) : undefined;
}
