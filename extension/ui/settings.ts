/** The settings, as values that the rest can use. */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import * as vscode from "vscode";

/** Where runs are looked for: one folder for each folder of the workspace, or the absolute one that is set. */
export function runsFolders(): string[] {
  const scopes: (vscode.WorkspaceFolder | undefined)[] = [...(vscode.workspace.workspaceFolders ?? [])];
  return [...new Set((scopes.length > 0 ? scopes : [undefined]).flatMap((folder) => runsFolder(folder) ?? []))];
}

/** Where the runs of this folder of the workspace go; undefined when there is nowhere. */
export function runsFolder(folder: vscode.WorkspaceFolder | undefined): string | undefined {
  return absolute(vscode.workspace.getConfiguration("muonscope", folder).get<string>("runsFolder", ".muonscope/runs"), folder);
}

/** Where to look for NVIDIA's libraries before all other places. */
export function cudaLibraries(folder: vscode.WorkspaceFolder | undefined): string[] {
  const set = vscode.workspace.getConfiguration("muonscope", folder).get<string[]>("cudaLibraries", []);
  return set.flatMap((path) => absolute(path, folder) ?? []);
}

/** Undefined: relative to a folder that there is not. */
function absolute(set: string, folder: vscode.WorkspaceFolder | undefined): string | undefined {
  const path = set.startsWith("~/") ? join(homedir(), set.slice(2)) : set;
  if (isAbsolute(path)) return path;
  return folder && join(folder.uri.fsPath, path);
}

/** Milliseconds between two looks at a run that is on the screen. */
export function refreshInterval(): number {
  return 1000 / vscode.workspace.getConfiguration("muonscope").get<number>("refreshRate", 5);
}
