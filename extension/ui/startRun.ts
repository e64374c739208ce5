/** Starts training runs: from a run file of the workspace or a template, and stopped ones again from their last checkpoint. */
import { join, relative } from "node:path";
import * as vscode from "vscode";
import type { EngineDescription } from "../protocol/description";
import type { RunSpec } from "../protocol/runFile";
import { readText } from "../runs/files";
import { launch, type LaunchOptions } from "../runs/launch";
import { resolveSpec, RUN_FILE_SUFFIX } from "../runs/spec";
import { TEMPLATES, type Template } from "../runs/templates";
import type { App } from "./app";
import type { Dashboard } from "./dashboard";
import { chooseDevice } from "./devices";
import type { Run } from "./run";
import { fail, inform, pick, warn, working } from "./say";
import { runsFolder } from "./settings";

type Choice = { runFile: string } | { template: Template; folder: vscode.WorkspaceFolder };

/** More run files than anyone chooses from by hand. */
const MOST_FILES = 500;
/** Bytes of a run file that is read before it is chosen. */
const MOST_SHOWN = 64 * 2 ** 10;
/** Bytes of a run file, or of what the engine says of itself. */
const MOST_TEXT = 1 << 20;

/** `argument`: a run file (a URI or path), or a template's id; else its user is asked. Returns the run's folder. */
export async function startRun(app: App, argument?: unknown): Promise<string | undefined> {
  if (!refuseUntrusted()) return undefined;
  // Found by the time that a run is chosen; where it fails, whoever needs it says so.
  app.devices.reports(vscode.workspace.workspaceFolders?.[0]).catch(() => undefined);
  const choice = chosenBy(argument) ?? (await ask());
  if (!choice) return undefined;
  const file = "runFile" in choice ? choice.runFile : join(choice.folder.uri.fsPath, choice.template.id + RUN_FILE_SUFFIX);
  const folder =
    "folder" in choice
      ? choice.folder
      : (vscode.workspace.getWorkspaceFolder(vscode.Uri.file(file)) ?? vscode.workspace.workspaceFolders?.[0]);
  const runs = runsFolder(folder);
  if (!runs) {
    void fail("There is no folder to keep the run in: open one, or set an absolute muonscope.runsFolder.");
    return undefined;
  }
  const content = "template" in choice ? choice.template.content : undefined;
  const read = await readSpec(app, file, content);
  if ("problems" in read) return tellProblems(app, file, read.problems, content === undefined);
  const chosen = await chooseDevice(app, read.spec, folder);
  if (!chosen) return undefined;
  const source = content ? { content, file } : { runFile: file };
  return begin(app, folder, { source, runsFolder: runs, ...chosen });
}

/** Goes on with a stopped, failed or crashed run from its last checkpoint. */
export async function resumeFromCheckpoint(app: App, run: Run): Promise<string | undefined> {
  if (!refuseUntrusted()) return undefined;
  const folder = vscode.workspace.getWorkspaceFolder(vscode.Uri.file(run.folder)) ?? vscode.workspace.workspaceFolders?.[0];
  return begin(app, folder, { source: { resume: run.folder }, runsFolder: join(run.folder, "..") });
}

/** False, and said, in a workspace whose files are not to be executed. */
export function refuseUntrusted(): boolean {
  if (vscode.workspace.isTrusted) return true;
  void warn("This workspace is not trusted: runs can be looked at, but not started or steered.", "Manage Workspace Trust").then(
    (picked) => picked && vscode.commands.executeCommand("workbench.trust.manage"),
  );
  return false;
}

async function begin(
  app: App,
  workspaceFolder: vscode.WorkspaceFolder | undefined,
  what: Pick<LaunchOptions, "source" | "runsFolder" | "device">,
): Promise<string | undefined> {
  let dashboard: Dashboard | undefined;
  const onFolder = (folder: string) => (dashboard = app.pages.prepareDashboard(app.runs.of(folder)));
  try {
    const { folder, pid } = await working("Starting the trainer…", async () =>
      launch({ ...what, ...(await app.devices.program(workspaceFolder)), onFolder }),
    );
    app.log.info(`Trainer ${pid} runs in ${folder}`);
    const run = app.runs.of(folder);
    app.runs.active = run;
    // A page that its user closed meanwhile is not opened again against their will.
    await (dashboard ? app.runs.read(run) : app.pages.openDashboard(run));
    return folder;
  } catch (error) {
    dashboard?.panel.dispose();
    app.log.error(`The run did not start: ${(error as Error).message}`);
    void fail(`The run did not start. ${(error as Error).message}`, "Show Output").then((picked) => picked && app.log.show());
    // Its folder is gone again: so is its row.
    await app.runs.refresh();
    return undefined;
  }
}

function chosenBy(argument: unknown): Choice | undefined {
  if (argument instanceof vscode.Uri) return { runFile: argument.fsPath };
  if (typeof argument !== "string") return undefined;
  const template = TEMPLATES.find(({ id }) => id === argument);
  const folder = vscode.workspace.workspaceFolders?.[0];
  return template && folder ? { template, folder } : { runFile: argument };
}

async function ask(): Promise<Choice | undefined> {
  const files = await vscode.workspace.findFiles(`**/*${RUN_FILE_SUFFIX}`, "**/node_modules/**", MOST_FILES);
  const separator = (label: string) => ({ label, kind: vscode.QuickPickItemKind.Separator });
  const fileItems = (await Promise.all(files.map(({ fsPath }) => fileItem(fsPath)))).sort((a, b) => a.label.localeCompare(b.label));
  const folders = vscode.workspace.workspaceFolders ?? [];
  const templateItems = folders.flatMap((folder) =>
    TEMPLATES.map((template) => ({
      label: template.title,
      description: folders.length > 1 ? folder.name : "on the text of this workspace",
      detail: template.detail,
      choice: { template, folder },
    })),
  );
  type Item = vscode.QuickPickItem & { choice?: Choice };
  const items: Item[] = [
    ...(fileItems.length > 0 ? [separator("Run files"), ...fileItems] : []),
    ...(templateItems.length > 0 ? [separator("Templates"), ...templateItems] : []),
  ];
  if (items.length === 0) {
    void inform("Open a folder to train on: runs are kept in it.");
    return undefined;
  }
  const picked = await pick(items, {
    title: "Start Training Run",
    placeHolder: "A run file, or a template",
    matchOnDescription: true,
  });
  return picked?.choice;
}

/** With what the file says that it is for. */
async function fileItem(runFile: string): Promise<vscode.QuickPickItem & { choice: Choice }> {
  const item = { label: vscode.workspace.asRelativePath(runFile), iconPath: vscode.ThemeIcon.File, choice: { runFile } };
  try {
    const { description } = parse((await readText(runFile, MOST_SHOWN)) ?? "") as { description?: unknown };
    return typeof description === "string" ? { ...item, detail: description } : item;
  } catch {
    return item; // what is wrong with it is told to who chooses it
  }
}

async function readSpec(app: App, file: string, content: unknown): Promise<{ spec: RunSpec } | { problems: string[] }> {
  try {
    const path = app.context.asAbsolutePath(join("media", "description.json"));
    const description = JSON.parse((await readText(path, MOST_TEXT)) ?? "") as EngineDescription;
    return resolveSpec(content ?? parse(await textOf(file)), description, { file });
  } catch (error) {
    return { problems: [(error as Error).message] };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`expected JSON: ${(error as Error).message}`);
  }
}

/** What its user sees: unsaved changes are saved, for the trainer reads the file. */
async function textOf(file: string): Promise<string> {
  const open = vscode.workspace.textDocuments.find((document) => document.uri.fsPath === file);
  if (open?.isDirty) await open.save();
  const text = await readText(file, MOST_TEXT);
  if (text === undefined) throw new Error("there is no such file");
  return text;
}

async function tellProblems(app: App, file: string, problems: string[], isFile: boolean): Promise<undefined> {
  const name = vscode.workspace.asRelativePath(file) || relative(".", file);
  for (const problem of problems) app.log.error(`${name}: ${problem}`);
  const actions = isFile ? ["Open File", "Show Output"] : ["Show Output"];
  void fail(`${name} cannot be run: ${problems.join(" · ")}`, ...actions).then((picked) => {
    if (picked === "Open File") void vscode.window.showTextDocument(vscode.Uri.file(file));
    if (picked === "Show Output") app.log.show();
  });
  return undefined;
}
