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
  const set = vscode.workspace.getConfiguration("muonscope", folder).get<unknown>("runsFolder", ".muonscope/runs");
  if (typeof set !== "string") throw new Error(`muonscope.runsFolder: expected a folder, received ${JSON.stringify(set)}.`);
  return absolute(set, folder);
}

/** Where to look for NVIDIA's libraries before all other places. */
export function cudaLibraries(folder: vscode.WorkspaceFolder | undefined): string[] {
  const set = vscode.workspace.getConfiguration("muonscope", folder).get<unknown>("cudaLibraries", []);
  if (!Array.isArray(set) || !set.every((path) => typeof path === "string"))
    throw new Error(`muonscope.cudaLibraries: expected a list of folders, received ${JSON.stringify(set)}.`);
  return set.flatMap((path) => absolute(path, folder) ?? []);
}

/** Undefined: relative to a folder that there is not. */
function absolute(set: string, folder: vscode.WorkspaceFolder | undefined): string | undefined {
  const path = set.startsWith("~/") ? join(homedir(), set.slice(2)) : set;
  if (isAbsolute(path)) return path;
  return folder && join(folder.uri.fsPath, path);
}

/** Times a second, as package.json has them. */
const RATE = { default: 5, minimum: 0.2, maximum: 10 };

/** Milliseconds between two looks at a run that is on the screen. The editor marks a rate out of bounds; a folder's settings are read all the same. */
export function refreshInterval(): number {
  const set = vscode.workspace.getConfiguration("muonscope").get<unknown>("refreshRate");
  const rate = typeof set === "number" && Number.isFinite(set) ? set : RATE.default;
  return 1000 / Math.min(RATE.maximum, Math.max(RATE.minimum, rate));
}
