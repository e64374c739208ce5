/** What menus and the palette ask: whether there is a run that a command could be about. */
import * as vscode from "vscode";
import type { App } from "./app";

export function registerContextKeys(app: App): vscode.Disposable[] {
  const known = new Map<string, boolean>();
  const set = (key: string, value: boolean) => {
    if (known.get(key) === value) return;
    known.set(key, value);
    void vscode.commands.executeCommand("setContext", `muonscope.${key}`, value);
  };
  const update = () => {
    const { runs } = app.runs;
    set("hasRuns", runs.length > 0);
    set(
      "hasLive",
      runs.some((run) => run.live),
    );
    set(
      "canPause",
      runs.some((run) => run.live && run.state.status !== "paused"),
    );
    set(
      "canResume",
      runs.some((run) => run.resumable),
    );
  };
  return [app.runs.onDidChange(update), app.runs.onDidChangeList(update)];
}
