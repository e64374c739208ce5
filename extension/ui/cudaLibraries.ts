/** Where a trainer is to look for NVIDIA's libraries first: the setting's folders, then the selected Python's. */
import { isAbsolute } from "node:path";
import * as vscode from "vscode";
import { pythonCudaLibraries } from "../runs/cudaLibraries";
import { cudaLibraries } from "./settings";

/** As much of the Python extension's API as is used (its npm package is @vscode/python-extension). */
interface PythonApi {
  environments?: { getActiveEnvironmentPath?(resource?: vscode.Uri): { path: string } | undefined };
}

export async function libraryFolders(folder: vscode.WorkspaceFolder | undefined): Promise<string[]> {
  const python = selectedPython(folder);
  return [...cudaLibraries(folder), ...(python === undefined ? [] : await pythonCudaLibraries(python))];
}

/** An interpreter or an environment's folder. The Python extension is asked only when it is active already: it is not woken for this. */
function selectedPython(folder: vscode.WorkspaceFolder | undefined): string | undefined {
  const extension = vscode.extensions.getExtension<PythonApi | undefined>("ms-python.python");
  const active = extension?.isActive ? extension.exports?.environments?.getActiveEnvironmentPath?.(folder?.uri)?.path : undefined;
  const path = active ?? vscode.workspace.getConfiguration("python", folder).get<string>("defaultInterpreterPath");
  const resolved = path?.replace("${workspaceFolder}", folder?.uri.fsPath ?? "");
  // A bare "python" says nothing of where it is.
  return resolved !== undefined && isAbsolute(resolved) ? resolved : undefined;
}
