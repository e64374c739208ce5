/** The extension under test, as another extension sees it. */
import { strict as assert } from "node:assert";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";
import type { MuonscopeApi } from "../../extension/main";
import type { RunEvent, RunState } from "../../extension/protocol/runFolder";
import { atRest, waitFor } from "./waiting";

export type Answer = Extract<RunEvent, { type: "applied" | "refused" }>;

export function product(): vscode.Extension<MuonscopeApi> {
  const found = vscode.extensions.getExtension<MuonscopeApi>("muonscope.muonscope");
  assert.ok(found, "muonscope.muonscope is installed");
  return found;
}

export function workspaceFolder(): string {
  const folder = vscode.workspace.workspaceFolders?.[0];
  assert.ok(folder, "a folder is open");
  return folder.uri.fsPath;
}

export const runFile = (name: string): vscode.Uri => vscode.Uri.file(join(workspaceFolder(), name));

/** Loading its code and calling `activate`, as the extension host does it, once it has come to rest. */
export async function millisecondsToActivate(): Promise<number> {
  await atRest();
  assert.equal(product().isActive, false, "nothing in this workspace calls for it yet");
  const start = performance.now();
  await product().activate();
  return performance.now() - start;
}

/** Where the extension keeps the runs of the workspace. */
export const runsFolder = (): string => join(workspaceFolder(), ".muonscope", "runs");

export const command = <Result>(name: string, ...args: unknown[]): Thenable<Result> =>
  vscode.commands.executeCommand<Result>(`muonscope.${name}`, ...args);

/** An order that is expected to be obeyed. */
export async function applied(name: string, ...args: unknown[]): Promise<Extract<Answer, { type: "applied" }>> {
  const answer = await command<Answer | undefined>(name, ...args);
  assert.ok(answer?.type === "applied", `${name} was applied; got ${JSON.stringify(answer)}`);
  return answer;
}

/** The state of a run once it is as wanted, as the extension tells it. A trainer makes way for others: each step has its time. */
export function stateOf(folder: string, what: string, wanted: (state: RunState) => boolean): Promise<RunState> {
  let last: RunState | undefined;
  return waitFor(
    what,
    () => {
      last = product()
        .exports.runs()
        .find((run) => run.folder === folder)?.state;
      return last !== undefined && wanted(last) && last;
    },
    () => last?.step,
  ).catch((error: Error) => {
    throw new Error(`${error.message} The run is ${JSON.stringify(last)}.`);
  });
}

/** What the extension wrote into its output channel since this extension host began: VS Code keeps it in a file beside ours. */
export function outputOf(context: vscode.ExtensionContext): string {
  const folder = join(context.logUri.fsPath, "..", "muonscope.muonscope");
  if (!existsSync(folder)) return "";
  return readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("\n");
}
