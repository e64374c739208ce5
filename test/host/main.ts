/**
 * The host tests as an extension. On start it runs the next phase that has no results yet (a reload of the window is a
 * new start) and writes them.
 *
 * Environment: MUONSCOPE_TEST_PHASES, MUONSCOPE_TEST_RESULTS (a folder).
 */
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type * as vscode from "vscode";
import { hostile } from "./hostile";
import { activation, memory } from "./measure";
import { runMocha, type TestResult } from "./mocha";
import { reload } from "./reload";
import { run as firstStart } from "./run";
import { untrusted } from "./untrusted";
import { PATIENCE_MS } from "./waiting";

/** `measured` takes figures for the record. */
type Suite = (context: vscode.ExtensionContext, measured: Record<string, number>) => void;

const suites: Record<string, Suite> = { run: firstStart, reload, untrusted, hostile, activation, memory };

async function runPhase(context: vscode.ExtensionContext): Promise<void> {
  const { MUONSCOPE_TEST_PHASES: phases = "", MUONSCOPE_TEST_RESULTS: folder } = process.env;
  if (!folder) throw new Error("MUONSCOPE_TEST_RESULTS must name a folder for the results.");
  const file = (phase: string): string => join(folder, `${phase}.json`);
  const phase = phases.split(",").find((each) => !existsSync(file(each)));
  if (!phase) return;
  // "activation-2" is "activation" once more.
  const suite = suites[phase.replace(/-\d+$/, "")];
  if (!suite) throw new Error(`MUONSCOPE_TEST_PHASES: expected ${Object.keys(suites).join(", ")}; got ${phase}.`);
  const measured: Record<string, number> = {};
  const part = `${file(phase)}.part`;
  // Who waits for the results sees that they come.
  const write = (tests: readonly TestResult[]): void =>
    writeFileSync(part, JSON.stringify({ tests, measured, patience: PATIENCE_MS }, null, 2));
  write(await runMocha(() => suite(context, measured), write));
  renameSync(part, file(phase));
}

export function activate(context: vscode.ExtensionContext): void {
  // Not awaited: the extension host waits for activations, and the tests wait for the product's.
  void runPhase(context);
}

/** For @vscode/test-electron, which ends VS Code when this resolves: waits for the results of the phase that `activate` began. */
export async function run(): Promise<void> {
  const { MUONSCOPE_TEST_PHASES: phase = "", MUONSCOPE_TEST_RESULTS: folder = "" } = process.env;
  while (!existsSync(join(folder, `${phase}.json`))) await setTimeout(100);
}
