/**
 * The one way out to VS Code's texts: messages, prompts, picks, progress, rows, the status bar, tabs, the log. Whatever is said comes
 * through here and is plain, so that a folder that others made cannot speak for the extension. `test/unit/say.test.ts` sees to it.
 */
import * as vscode from "vscode";
import { logEntry, plainBlock, plainLine } from "./plainText";

/** Most characters of a text, by where it stands. VS Code cuts messages at 1,000 itself. */
const MOST = { label: 200, line: 500, message: 1000, block: 4000, entry: 20_000 };

const label = (text: string): string => plainLine(text, MOST.label);
const line = (text: string): string => plainLine(text, MOST.line);
const message = (text: string): string => plainLine(text, MOST.message);

type Answer<Action> = Thenable<Action | undefined>;

/** `actions` are buttons: the way to do something from a message. */
export const inform = <Action extends string>(text: string, ...actions: Action[]): Answer<Action> =>
  vscode.window.showInformationMessage(message(text), ...actions);

export const warn = <Action extends string>(text: string, ...actions: Action[]): Answer<Action> =>
  vscode.window.showWarningMessage(message(text), ...actions);

export const fail = <Action extends string>(text: string, ...actions: Action[]): Answer<Action> =>
  vscode.window.showErrorMessage(message(text), ...actions);

type Prompt = Pick<vscode.QuickPickOptions, "title" | "placeHolder" | "matchOnDescription" | "matchOnDetail" | "ignoreFocusOut">;

export const pick = <Item extends vscode.QuickPickItem>(items: readonly Item[], prompt: Prompt): Answer<Item> =>
  vscode.window.showQuickPick(items.map(plainItem), plainPrompt(prompt));

export const pickSeveral = <Item extends vscode.QuickPickItem>(items: readonly Item[], prompt: Prompt): Answer<Item[]> =>
  vscode.window.showQuickPick(items.map(plainItem), { ...plainPrompt(prompt), canPickMany: true });

const plainItem = <Item extends vscode.QuickPickItem>(item: Item): Item => ({
  ...item,
  label: label(item.label),
  ...(item.description !== undefined && { description: line(item.description) }),
  ...(item.detail !== undefined && { detail: line(item.detail) }),
});

const plainPrompt = (prompt: Prompt): Prompt => ({
  ...prompt,
  ...(prompt.title !== undefined && { title: label(prompt.title) }),
  ...(prompt.placeHolder !== undefined && { placeHolder: line(prompt.placeHolder) }),
});

/** `wrong`: what is wrong with an input; undefined: nothing. */
export function ask(question: {
  title: string;
  prompt: string;
  value: string;
  wrong: (input: string) => string | undefined;
}): Answer<string> {
  return vscode.window.showInputBox({
    title: label(question.title),
    prompt: message(question.prompt),
    value: label(question.value),
    validateInput: (input) => {
      const wrong = question.wrong(input);
      return wrong && message(wrong);
    },
  });
}

/** While `task` goes on, the status bar says what it is. */
export const working = <Result>(title: string, task: () => Promise<Result>): Thenable<Result> =>
  vscode.window.withProgress({ location: vscode.ProgressLocation.Window, title: label(title) }, task);

export interface Row {
  id?: string;
  label: string;
  description: string;
  /** Lines. */
  tooltip: string;
  /** What a screen reader says. */
  spoken: string;
  icon: vscode.ThemeIcon;
  expandable: boolean;
  /** What menus ask for. */
  context?: string;
  command?: vscode.Command;
}

export function treeItem(row: Row): vscode.TreeItem {
  const { Collapsed, None } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(label(row.label), row.expandable ? Collapsed : None);
  item.description = line(row.description);
  item.tooltip = plainBlock(row.tooltip, MOST.block);
  item.accessibilityInformation = { label: line(row.spoken) };
  item.iconPath = row.icon;
  if (row.id !== undefined) item.id = row.id;
  if (row.context !== undefined) item.contextValue = row.context;
  if (row.command) item.command = row.command;
  return item;
}

export interface StatusText {
  /** A codicon. */
  icon: string;
  text: string;
  tooltip: string;
  spoken: string;
  troubled: boolean;
  command: vscode.Command;
}

/** An item of the status bar. */
export class Status implements vscode.Disposable {
  private readonly item: vscode.StatusBarItem;

  constructor(id: string, name: string) {
    this.item = vscode.window.createStatusBarItem(id, vscode.StatusBarAlignment.Left, 10);
    this.item.name = name;
  }

  show(status: StatusText): void {
    const { item } = this;
    item.text = `$(${status.icon}) ${label(status.text)}`;
    item.tooltip = plainBlock(status.tooltip, MOST.block);
    item.command = status.command;
    item.backgroundColor = status.troubled ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    item.accessibilityInformation = { label: line(status.spoken) };
    item.show();
  }

  hide(): void {
    this.item.hide();
  }

  dispose(): void {
    this.item.dispose();
  }
}

/** A page in the active group of editors. */
export const openPanel = (viewType: string, title: string): vscode.WebviewPanel =>
  vscode.window.createWebviewPanel(viewType, label(title), vscode.ViewColumn.Active, {});

export function retitle(panel: vscode.WebviewPanel, title: string): void {
  if (panel.title !== label(title)) panel.title = label(title);
}

/** The output channel. */
export class Log implements vscode.Disposable {
  private readonly channel = vscode.window.createOutputChannel("Muonscope", { log: true });

  info(text: string): void {
    this.channel.info(logEntry(text, MOST.entry));
  }

  warn(text: string): void {
    this.channel.warn(logEntry(text, MOST.entry));
  }

  /** An error is told with where it came from. */
  error(what: unknown): void {
    this.channel.error(logEntry(what instanceof Error ? (what.stack ?? what.message) : String(what), MOST.entry));
  }

  show(): void {
    this.channel.show();
  }

  dispose(): void {
    this.channel.dispose();
  }
}
