/** Entry of the extension: puts its features together. Trainers are processes of their own and outlive it. */
import * as vscode from "vscode";
import type { RunState } from "./protocol/runFolder";
import type { App } from "./ui/app";
import { registerCommands } from "./ui/commands";
import { registerContextKeys } from "./ui/contextKeys";
import { Devices } from "./ui/devices";
import { Orders } from "./ui/orders";
import { Pages } from "./ui/pages";
import { registerRunsView } from "./ui/runsView";
import { RunStore } from "./ui/runStore";
import { Log } from "./ui/say";
import { registerStatusBar } from "./ui/statusBar";

/** What other extensions and tests get from `activate`. */
export interface MuonscopeApi {
  /** The runs of the workspace, newest first, as last read. */
  runs(): { folder: string; name: string; state: RunState }[];
  /** Folder of the run that commands are about. */
  activeRun(): string | undefined;
  onDidChange: vscode.Event<void>;
}

export function activate(context: vscode.ExtensionContext): MuonscopeApi {
  const log = new Log();
  const runs = new RunStore(log);
  const orders = new Orders(runs, log);
  const pages = new Pages();
  const app: App = { context, log, runs, orders, pages, devices: new Devices(context) };
  const changed = new vscode.EventEmitter<void>();
  pages.start(app);
  context.subscriptions.push(
    log,
    runs,
    orders,
    pages,
    changed,
    runs.onDidChange(() => changed.fire()),
    runs.onDidChangeList(() => changed.fire()),
    ...registerCommands(app),
    ...registerRunsView(app),
    ...registerStatusBar(app),
    ...registerContextKeys(app),
  );
  return {
    runs: () => runs.runs.map(({ folder, name, state }) => ({ folder, name, state })),
    activeRun: () => runs.active?.folder,
    onDidChange: changed.event,
  };
}
