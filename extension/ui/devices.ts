/** Backends and GPUs in the editor: looked for when first wanted, in a process of its own, once a window; shown and chosen. */
import { join } from "node:path";
import * as vscode from "vscode";
import type { BackendReport } from "../protocol/description";
import type { RunSpec } from "../protocol/runFile";
import { choicesFor, devicesOf, findBackends, type DeviceChoice, type NamedDevice } from "../runs/devices";
import type { TrainerProgram } from "../runs/trainerProgram";
import type { App } from "./app";
import { libraryFolders } from "./cudaLibraries";
import { pick, working } from "./say";

/** Of the workspace: what was chosen last. */
const LAST = "device";

export class Devices {
  private known: { libraries: string; reports: Promise<BackendReport[]> } | undefined;

  constructor(private readonly context: vscode.ExtensionContext) {}

  /** What starts a trainer for a run of this folder; no process of the extension is started without it. Rejects in an untrusted workspace. */
  async program(folder: vscode.WorkspaceFolder | undefined): Promise<TrainerProgram> {
    if (!vscode.workspace.isTrusted) throw new Error("In an untrusted workspace no program is started.");
    return { trainerScript: this.context.asAbsolutePath(join("dist", "trainer.js")), cudaLibraries: await libraryFolders(folder) };
  }

  /** Looked for again when `anew`, when other libraries may be found, and when it failed before. */
  async reports(folder: vscode.WorkspaceFolder | undefined, anew = false): Promise<BackendReport[]> {
    const program = await this.program(folder);
    const libraries = JSON.stringify(program.cudaLibraries);
    if (anew || this.known?.libraries !== libraries) {
      const reports = findBackends(program);
      const known = { libraries, reports };
      this.known = known;
      reports.catch(() => {
        if (this.known === known) this.known = undefined;
      });
    }
    return this.known!.reports;
  }
}

/**
 * Asks for a GPU, for several of them, or the CPU, where a run leaves the choice among several. `undefined` within: what the
 * run asks for; else undefined: its user thought better of it.
 */
export async function chooseDevice(
  app: App,
  spec: RunSpec,
  folder: vscode.WorkspaceFolder | undefined,
): Promise<{ device: DeviceChoice | undefined } | undefined> {
  if (spec.backend === "cpu") return { device: undefined };
  let reports;
  try {
    reports = await lookFor(app, folder);
  } catch (error) {
    // The trainer of the run fails likewise, and says it where it is seen.
    app.log.warn((error as Error).message);
    return { device: undefined };
  }
  const choices = choicesFor(spec, reports, app.context.workspaceState.get<DeviceChoice>(LAST));
  if (choices.length === 0) return { device: undefined };
  const picked = await pick(choices.map(deviceItem), {
    title: "Start Training Run",
    placeHolder: `What ${spec.name} is to run on`,
    matchOnDescription: true,
  });
  if (!picked) return undefined;
  const { backend, device } = picked.choice;
  const choice = device === undefined ? { backend } : { backend, device };
  await app.context.workspaceState.update(LAST, choice);
  return { device: choice };
}

/** Lists what runs can run on, and why not on the rest. Returns it. */
export async function showDevices(app: App): Promise<BackendReport[]> {
  const reports = await lookFor(app, vscode.workspace.workspaceFolders?.[0], true);
  app.log.info(`Devices\n${reports.map(describe).join("\n")}`);
  const missing = reports.filter(({ available }) => !available);
  const items: vscode.QuickPickItem[] = [
    ...devicesOf(reports).map(deviceItem),
    ...missing.map(({ id, detail }) => ({
      label: id,
      iconPath: new vscode.ThemeIcon("circle-slash"),
      description: "not available",
      detail,
    })),
  ];
  const options = {
    title: "Devices",
    placeHolder: "What runs can run on; choose one to read all of it in the output",
    matchOnDetail: true,
  };
  // Not waited for: what was found is the answer.
  void pick(items, options).then((picked) => picked && app.log.show());
  return reports;
}

const lookFor = (app: App, folder: vscode.WorkspaceFolder | undefined, anew?: boolean): Thenable<BackendReport[]> =>
  working("Looking for GPUs…", () => app.devices.reports(folder, anew));

const deviceItem = (choice: NamedDevice): vscode.QuickPickItem & { choice: NamedDevice } => ({
  choice,
  label: choice.label,
  iconPath: new vscode.ThemeIcon(choice.device === undefined ? "server-process" : "chip"),
  description: choice.name,
  ...(choice.detail !== undefined && { detail: choice.detail }),
});

function describe({ id, available, detail, devices }: BackendReport): string {
  const list = devices.map((name, index) => `  GPU ${index}: ${name}`);
  return [`${id}${available ? "" : ", not available"}: ${detail}`, ...list].join("\n");
}
