/**
 * As much of the vscode API as the extension touches, for tests outside of an editor: the bundles of the unit tests get it in place of
 * the real one (esbuild.mjs). It records what is said to a user and does what a test says the user did.
 */
import { EventEmitter as Emitter } from "node:events";
import { join } from "node:path";
import type { ExtensionContext } from "vscode";

type Listener = (value: unknown) => void;

export class Disposable {
  constructor(private readonly callOnDispose: () => void) {}
  dispose(): void {
    this.callOnDispose();
  }
}

export class EventEmitter {
  private readonly emitter = new Emitter({ captureRejections: false }).setMaxListeners(0);
  readonly event = (listener: Listener): Disposable => {
    this.emitter.on("fired", listener);
    return new Disposable(() => this.emitter.off("fired", listener));
  };
  fire(value?: unknown): void {
    this.emitter.emit("fired", value);
  }
  dispose(): void {
    this.emitter.removeAllListeners();
  }
}

export class Uri {
  private constructor(readonly fsPath: string) {}
  static file = (path: string): Uri => new Uri(path);
  static joinPath = (base: Uri, ...parts: string[]): Uri => new Uri(join(base.fsPath, ...parts));
  toString = (): string => `file://${this.fsPath}`;
}

export class ThemeIcon {
  static readonly File = new ThemeIcon("file");
  constructor(readonly id: string) {}
}

export class ThemeColor {
  constructor(readonly id: string) {}
}

export class TreeItem {
  constructor(
    readonly label: string,
    readonly collapsibleState: number,
  ) {}
}

export const TreeItemCollapsibleState = { None: 0, Collapsed: 1 };
export const StatusBarAlignment = { Left: 1 };
export const ProgressLocation = { Window: 10 };
export const QuickPickItemKind = { Separator: -1 };
export const ViewColumn = { Active: -1 };

/** A text that a user gets to see, and where. */
export interface Said {
  how: string;
  text: string;
}

interface Pick {
  label: string;
  description?: string;
  detail?: string;
}

/** What a test knows and decides. */
export const fake = {
  said: [] as Said[],
  /** Commands of VS Code that were executed, with their arguments. */
  executed: [] as unknown[][],
  trusted: true,
  folders: [] as string[],
  /** That a search finds. */
  files: [] as string[],
  settings: {} as Record<string, unknown>,
  /** Settings that were read, and extensions that were asked for. */
  read: [] as string[],
  /** Panels that were opened. */
  panels: [] as FakePanel[],
  /** What its user chooses: the place of the item, or nothing. */
  chosen: undefined as number | undefined,
  trees: [] as { getChildren(element?: unknown): unknown; getTreeItem(element: unknown): unknown }[],
  reset(): void {
    Object.assign(fake, {
      said: [],
      executed: [],
      trusted: true,
      folders: [],
      files: [],
      settings: {},
      read: [],
      panels: [],
      chosen: undefined,
      trees: [],
    });
  },
  context: (folder: string): ExtensionContext => {
    const kept = new Map<string, unknown>();
    return {
      subscriptions: [],
      extensionUri: Uri.file(folder),
      asAbsolutePath: (path: string) => join(folder, path),
      workspaceState: {
        get: (key: string, value: unknown) => kept.get(key) ?? value,
        update: (key: string, value: unknown) => Promise.resolve(void kept.set(key, value)),
      },
    } as unknown as ExtensionContext;
  },
};

export class FakePanel {
  readonly posted: unknown[] = [];
  private readonly received = new EventEmitter();
  private readonly disposed = new EventEmitter();
  private readonly moved = new EventEmitter();
  visible = true;
  active = true;
  readonly webview = {
    html: "",
    options: {},
    cspSource: "self",
    asWebviewUri: (uri: Uri) => uri,
    onDidReceiveMessage: this.received.event,
    postMessage: (message: unknown) => Promise.resolve(this.posted.push(message)),
  };
  onDidDispose = this.disposed.event;
  onDidChangeViewState = this.moved.event;
  private shown: string;

  constructor(title: string) {
    this.shown = title;
    say("tab", title);
  }
  get title(): string {
    return this.shown;
  }
  set title(title: string) {
    this.shown = title;
    say("tab", title);
  }
  reveal(): void {}
  dispose(): void {
    this.disposed.fire();
  }
  /** The page says something. */
  says(message: unknown): void {
    this.received.fire(message);
  }
}

function say(how: string, text: string | undefined): void {
  if (text !== undefined) fake.said.push({ how, text });
}

const message =
  (how: string) =>
  (text: string, ...actions: string[]): Promise<undefined> => {
    for (const each of [text, ...actions]) say(how, each);
    return Promise.resolve(undefined);
  };

export const window = {
  showInformationMessage: message("message"),
  showWarningMessage: message("message"),
  showErrorMessage: message("message"),
  showQuickPick(items: Pick[], options: { title?: string; placeHolder?: string; canPickMany?: boolean }): Promise<unknown> {
    say("pick", options.title);
    say("pick", options.placeHolder);
    for (const { label, description, detail } of items) for (const text of [label, description, detail]) say("pick", text);
    const item = fake.chosen === undefined ? undefined : items[fake.chosen];
    return Promise.resolve(options.canPickMany && item ? [item] : item);
  },
  showInputBox(options: {
    title: string;
    prompt: string;
    value: string;
    validateInput(input: string): string | undefined;
  }): Promise<unknown> {
    for (const text of [options.title, options.prompt, options.value]) say("input", text);
    for (const input of ["", "[x](command:y)", options.value]) say("input", options.validateInput(input));
    return Promise.resolve(undefined);
  },
  withProgress(options: { title: string }, task: () => Promise<unknown>): Promise<unknown> {
    say("progress", options.title);
    return task();
  },
  createOutputChannel: () => {
    const entry = (text: string): void => say("log", text);
    return { info: entry, warn: entry, error: entry, show: () => undefined, dispose: () => undefined };
  },
  createStatusBarItem: () => ({
    text: "",
    tooltip: "",
    show(): void {
      say("status", this.text);
      say("tooltip", this.tooltip);
    },
    hide: () => undefined,
    dispose: () => undefined,
  }),
  createTreeView: (_id: string, { treeDataProvider }: { treeDataProvider: (typeof fake.trees)[number] }) => {
    fake.trees.push(treeDataProvider);
    return { badge: undefined, dispose: () => undefined };
  },
  createWebviewPanel(_type: string, title: string): FakePanel {
    const panel = new FakePanel(title);
    fake.panels.push(panel);
    return panel;
  },
  registerWebviewPanelSerializer: () => new Disposable(() => undefined),
  showTextDocument: (uri: Uri) => Promise.resolve(void fake.executed.push(["showTextDocument", uri.fsPath])),
};

const registered = new Map<string, (...args: unknown[]) => unknown>();

export const commands = {
  registerCommand(id: string, run: (...args: unknown[]) => unknown): Disposable {
    registered.set(id, run);
    return new Disposable(() => registered.delete(id));
  },
  executeCommand(id: string, ...args: unknown[]): Promise<unknown> {
    fake.executed.push([id, ...args]);
    return Promise.resolve(registered.get(id)?.(...args));
  },
};

const folderOf = (path: string) => ({ uri: Uri.file(path), name: path, index: 0 });

export const workspace = {
  get isTrusted(): boolean {
    return fake.trusted;
  },
  get workspaceFolders() {
    return fake.folders.map(folderOf);
  },
  textDocuments: [],
  getWorkspaceFolder: (uri: Uri) => fake.folders.filter((folder) => uri.fsPath.startsWith(folder)).map(folderOf)[0],
  getConfiguration: (section: string) => ({
    get(key: string, value?: unknown): unknown {
      const name = `${section}.${key}`;
      fake.read.push(name);
      return name in fake.settings ? fake.settings[name] : value;
    },
  }),
  asRelativePath: (path: string) => path,
  findFiles: () => Promise.resolve(fake.files.map(Uri.file)),
  onDidGrantWorkspaceTrust: () => new Disposable(() => undefined),
};

export const extensions = { getExtension: (id: string) => void fake.read.push(id) };
