/** The open pages: one dashboard a run, any number of comparisons; opened, found again, and restored after a reload. */
import * as vscode from "vscode";
import type { App } from "./app";
import { ComparePage } from "./comparePage";
import { Dashboard } from "./dashboard";
import { compareSource, dashboardSource } from "./pageMessages";
import type { Run } from "./run";
import { openPanel } from "./say";

export class Pages implements vscode.Disposable {
  private readonly dashboards = new Map<Run, Dashboard>();
  private readonly disposables: vscode.Disposable[] = [];
  private app!: App;

  /** Registers what restores pages after a reload of the window. */
  start(app: App): void {
    this.app = app;
    this.disposables.push(
      vscode.window.registerWebviewPanelSerializer(Dashboard.viewType, {
        deserializeWebviewPanel: (panel, state: unknown) =>
          this.restore(panel, async () => {
            await this.fill(app.runs.of(dashboardSource(state).folder), panel);
          }),
      }),
      vscode.window.registerWebviewPanelSerializer(ComparePage.viewType, {
        deserializeWebviewPanel: (panel, state: unknown) =>
          this.restore(panel, () => ComparePage.restore(app, panel, compareSource(state))),
      }),
    );
  }

  /** Shows the run's dashboard, beside nothing and in the active group unless it is there already. */
  async openDashboard(run: Run): Promise<Dashboard> {
    const there = this.dashboards.get(run);
    if (there) {
      there.panel.reveal();
      return there;
    }
    return this.fill(run, dashboardPanel(run.name));
  }

  /** The dashboard of a run whose trainer is about to start: the window loads the page meanwhile. */
  prepareDashboard(run: Run): Dashboard {
    return this.adopt(run, dashboardPanel(run.name));
  }

  openCompare(runs: readonly Run[]): Promise<ComparePage> {
    const panel = openPanel(ComparePage.viewType, "Compare Runs");
    return ComparePage.open(this.app, panel, runs);
  }

  dispose(): void {
    for (const each of this.disposables) each.dispose();
  }

  private async fill(run: Run, panel: vscode.WebviewPanel): Promise<Dashboard> {
    const dashboard = this.adopt(run, panel);
    // A run at rest is read again now that its numbers are wanted.
    await this.app.runs.read(run);
    return dashboard;
  }

  private adopt(run: Run, panel: vscode.WebviewPanel): Dashboard {
    const dashboard = new Dashboard(this.app, run, panel);
    this.dashboards.set(run, dashboard);
    panel.onDidDispose(() => this.dashboards.delete(run));
    const activate = () => {
      if (panel.active) this.app.runs.active = run;
    };
    panel.onDidChangeViewState(activate);
    activate();
    return dashboard;
  }

  /** A page whose run is gone says so instead of staying empty. */
  private async restore(panel: vscode.WebviewPanel, make: () => Promise<void>): Promise<void> {
    try {
      await make();
    } catch (error) {
      this.app.log.warn(`A page could not be restored: ${(error as Error).message}`);
      panel.dispose();
    }
  }
}

const dashboardPanel = (title: string): vscode.WebviewPanel => openPanel(Dashboard.viewType, title);
