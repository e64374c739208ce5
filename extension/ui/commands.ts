/** Every command of the palette: one line each. Each takes a run from its argument, else the active one, else it asks. */
import { join } from "node:path";
import * as vscode from "vscode";
import { TRAINER_LOG, type Order } from "../protocol/runFolder";
import { expectFile } from "../runs/files";
import type { App } from "./app";
import { chooseRun, chooseRuns, runItem, runOf } from "./chooseRun";
import { showDevices } from "./devices";
import type { Answer } from "./orders";
import type { Run } from "./run";
import { fail, inform, pick } from "./say";
import { setKnob, setLearningRateFactor, toggleKnob } from "./knobCommands";
import { refuseUntrusted, resumeFromCheckpoint, startRun } from "./startRun";

type Deed = Extract<Order, { do: string }>["do"];
type Handler = (app: App, ...args: unknown[]) => unknown;

const isLive = (run: Run): boolean => run.live;
const isGoing = (run: Run): boolean => run.live && run.state.status !== "paused";

const COMMANDS: Record<string, Handler> = {
  startRun: (app, file) => startRun(app, file),
  compareRuns: (app, run, runs) => compareRuns(app, run, runs),
  openDashboard: (app, run) => openDashboard(app, run),
  pauseRun: (app, run) => give(app, run, "pause", isGoing),
  resumeRun: (app, run) => resumeRun(app, run),
  singleStep: (app, run) => give(app, run, "step", isLive),
  checkpointNow: (app, run) => give(app, run, "checkpoint", isLive),
  measureNow: (app, run) => give(app, run, "measure", isLive),
  stopRun: (app, run) => give(app, run, "stop", isLive),
  toggleNormalization: (app, run, scope) => toggleKnob(app, run, "normalize", scope),
  toggleOrthogonalization: (app, run, scope) => toggleKnob(app, run, "orthogonalize", scope),
  setLearningRateFactor: (app, run, value) => setLearningRateFactor(app, run, value),
  setKnob: (app, run, knob, value, scope) => setKnob(app, run, knob, value, scope),
  revealRunFolder: (app, run) => revealRunFolder(app, run),
  openTrainerLog: (app, run) => openTrainerLog(app, run),
  showDevices: (app) => (refuseUntrusted() ? showDevices(app) : undefined),
  refreshRuns: (app) => app.runs.refresh(),
  showOutput: (app) => app.log.show(),
};

export function registerCommands(app: App): vscode.Disposable[] {
  return Object.entries(COMMANDS).map(([name, handler]) =>
    vscode.commands.registerCommand(`muonscope.${name}`, async (...args: unknown[]) => {
      try {
        return await handler(app, ...args);
      } catch (error) {
        app.log.error(error);
        void fail((error as Error).message);
        return undefined;
      }
    }),
  );
}

/** Returns the trainer's answer: the step from which the order holds. */
async function give(app: App, argument: unknown, deed: Deed, fits: (run: Run) => boolean): Promise<Answer | undefined> {
  if (!refuseUntrusted()) return undefined;
  const run = await chooseRun(app, argument, "Which run?", fits);
  return run && app.orders.give(run, { do: deed });
}

/** A paused run goes on; one whose trainer is gone is started again from its last checkpoint. */
async function resumeRun(app: App, argument: unknown): Promise<Answer | string | undefined> {
  if (!refuseUntrusted()) return undefined;
  const run = await chooseRun(app, argument, "Which run is to go on?", (each) => each.resumable);
  if (!run) return undefined;
  return run.live ? app.orders.give(run, { do: "resume" }) : resumeFromCheckpoint(app, run);
}

async function openDashboard(app: App, argument: unknown): Promise<string | undefined> {
  if (argument === undefined) await app.runs.found;
  const items = app.runs.runs.map(runItem);
  const given = runOf(app, argument);
  const run =
    given ?? (items.length === 1 ? items[0]!.run : (await pick(items, { placeHolder: "Whose dashboard?", matchOnDescription: true }))?.run);
  if (!run) return undefined;
  await app.pages.openDashboard(run);
  return run.folder;
}

/** `argument`: one of the runs, or nothing; `selected`: those marked in the tree. Returns the folders compared. */
async function compareRuns(app: App, argument: unknown, selected: unknown): Promise<string[] | undefined> {
  const list = Array.isArray(argument) ? argument : Array.isArray(selected) ? selected : [];
  const given = list.map((each) => runOf(app, each)).filter((run) => run !== undefined);
  const runs = given.length >= 2 ? given : await askForRuns(app, runOf(app, argument));
  if (!runs) return undefined;
  await app.pages.openCompare(runs);
  return runs.map(({ folder }) => folder);
}

/** What was chosen last time is ticked again. */
async function askForRuns(app: App, first: Run | undefined): Promise<Run[] | undefined> {
  await app.runs.found;
  const last = app.context.workspaceState.get<string[]>("compared", []);
  const runs = await chooseRuns(app, first ? [first] : app.runs.runs.filter((run) => last.includes(run.folder)));
  if (runs)
    await app.context.workspaceState.update(
      "compared",
      runs.map(({ folder }) => folder),
    );
  return runs;
}

async function revealRunFolder(app: App, argument: unknown): Promise<string | undefined> {
  const run = await chooseRun(app, argument, "Whose folder?");
  if (!run) return undefined;
  const uri = vscode.Uri.file(run.folder);
  const inside = vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  await vscode.commands.executeCommand(inside ? "revealInExplorer" : "revealFileInOS", uri);
  return run.folder;
}

async function openTrainerLog(app: App, argument: unknown): Promise<string | undefined> {
  const run = await chooseRun(app, argument, "Whose log?");
  if (!run) return undefined;
  const file = join(run.folder, TRAINER_LOG);
  const size = await expectFile(file).catch((error: Error) => {
    throw new Error(`${file}: ${error.message}.`, { cause: error });
  });
  if (size === undefined) {
    void inform(`${run.name} has no ${TRAINER_LOG}: it was not started by Muonscope's editor.`);
    return undefined;
  }
  await vscode.window.showTextDocument(vscode.Uri.file(file));
  return file;
}
