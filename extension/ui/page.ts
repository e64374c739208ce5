/**
 * The host's end of a page about one or several runs. While the page can be seen its runs are followed; a hidden page is
 * gone (nothing is kept for it in the browser) and says `ready` again when it comes back.
 */
import * as vscode from "vscode";
import type { DataMessage, FromPage } from "../protocol/panels";
import type { App } from "./app";
import { Choices } from "./choices";
import { Feed } from "./feed";
import { Slices } from "../runs/slices";
import { pageHtml } from "./pageHtml";
import type { Run } from "./run";
import { Throttle } from "./throttle";

/** Milliseconds between two updates of a page, whoever asks for them: twice as often as the pages' highest rate. */
const REST = 50;

const NO_DATA: DataMessage = { type: "data", series: [], snapshots: [], profiles: [] };

export abstract class Page<In extends { type: string }, Out extends { type: string }> implements vscode.Disposable {
  protected readonly feed = new Feed(() => this.runs.map((run) => run.reader));
  protected readonly choices = new Choices(() => this.update());
  private readonly disposables: vscode.Disposable[] = [];
  private holds: vscode.Disposable[] = [];
  private views: vscode.Disposable[] = [];
  private ready = false;
  /** The page has not yet drawn the last batch. */
  private drawing = false;
  /** Something changed meanwhile. */
  private stale = false;
  /** Messages as they were last sent, by type. */
  private readonly sent = new Map<string, string>();
  private shown: readonly Run[] = [];
  private readonly updates = new Throttle(REST, () => this.tell());

  protected constructor(
    protected readonly app: App,
    readonly panel: vscode.WebviewPanel,
    /** `read` checks what the page says: it throws for what a page of this kind does not say. */
    private readonly kind: { name: string; title: string; read: (said: unknown) => FromPage | In },
  ) {
    panel.webview.options = { enableScripts: true, localResourceRoots: [vscode.Uri.joinPath(app.context.extensionUri, "dist", "webview")] };
    const icon = (theme: string) => vscode.Uri.joinPath(app.context.extensionUri, "media", `tab-${theme}.svg`);
    panel.iconPath = { light: icon("light"), dark: icon("dark") };
    this.disposables.push(
      panel.webview.onDidReceiveMessage((said: unknown) => this.receive(said)),
      panel.onDidChangeViewState(() => this.viewChanged()),
      app.runs.onDidChange((run) => {
        if (this.shown.includes(run)) this.update();
      }),
    );
    panel.onDidDispose(() => this.dispose());
  }

  get runs(): readonly Run[] {
    return this.shown;
  }

  /** What the page is about, as it is to be found again after a reload. */
  protected abstract source(): unknown;
  /** All that the page is told, but for data: only what is new is sent. */
  protected abstract messages(): Out[];
  protected abstract handle(message: In): Promise<void>;

  /** To be disposed of with the page. */
  protected register(...disposables: vscode.Disposable[]): void {
    this.disposables.push(...disposables);
  }

  /** Shows these runs; the page is told. */
  protected show(runs: readonly Run[]): void {
    const holds = runs.map((run) => run.hold());
    this.releaseHolds();
    this.holds = holds;
    this.shown = runs;
    this.feed.reset();
    this.viewChanged();
    this.update();
  }

  /** Loads the document anew. */
  protected load(): void {
    this.ready = false;
    this.panel.webview.html = pageHtml(this.panel.webview, this.app.context.extensionUri, this.kind.name, this.kind.title, this.source());
  }

  /** Something changed: the page will be told. */
  protected update(): void {
    if (this.ready && this.panel.visible) this.updates.ask();
  }

  private tell(): void {
    if (!this.ready || !this.panel.visible) return;
    this.stale = this.drawing;
    if (this.drawing) return;
    const slices = new Slices();
    const news = this.messages().filter((message) => {
      const text = JSON.stringify(message);
      const same = this.sent.get(message.type) === text;
      this.sent.set(message.type, text);
      return !same;
    });
    const data = this.feed.collect(() => slices.spent);
    // Long series are reduced a few at a time: the page draws these and is told of the others.
    this.stale = this.feed.unfinished;
    if (news.length === 0 && !data) return;
    this.drawing = true;
    for (const message of [...news, data ?? NO_DATA]) {
      // Not awaited: over a slow connection each would wait for a round trip.
      void this.panel.webview.postMessage(message);
    }
  }

  dispose(): void {
    this.ready = false;
    this.updates.dispose();
    this.releaseHolds();
    this.releaseViews();
    for (const each of this.disposables) each.dispose();
  }

  private receive(said: unknown): void {
    let message;
    try {
      message = this.kind.read(said);
    } catch (error) {
      this.app.log.warn(`${this.kind.name} page: not done what it said: ${(error as Error).message}`);
      return;
    }
    const common = message as FromPage;
    switch (common.type) {
      case "ready":
        this.ready = true;
        this.drawing = false;
        this.feed.reset();
        this.sent.clear();
        this.update();
        return;
      case "watch":
        this.feed.watch(common);
        this.update();
        return;
      case "drawn":
        this.drawing = false;
        if (this.stale) this.update();
        return;
      case "pageError":
        this.app.log.error(`${this.kind.name} page: ${common.message}`);
        return;
      case "command":
        // Without a run the command would be about another one.
        if (this.runs[0]) void vscode.commands.executeCommand(common.command, this.runs[0].folder);
        return;
      default:
        this.handle(message as In).catch((error: unknown) => this.app.log.error(error));
    }
  }

  private viewChanged(): void {
    this.releaseViews();
    if (!this.panel.visible) {
      this.ready = false;
      return;
    }
    this.views = this.shown.map((run) => this.app.runs.show(run));
  }

  private releaseHolds(): void {
    for (const hold of this.holds) hold.dispose();
    this.holds = [];
  }

  private releaseViews(): void {
    for (const view of this.views) view.dispose();
    this.views = [];
  }
}
