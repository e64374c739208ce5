/** Figures for `npm run bench`: how long the extension takes to activate, and what it adds to the extension host's memory. */
import { strict as assert } from "node:assert";
import type * as vscode from "vscode";
import { applied, command, millisecondsToActivate, runFile, stateOf } from "./product";

type Measured = Record<string, number>;

const megabytes = (): number => process.memoryUsage.rss() / 2 ** 20;
/** Enough for every chart of the dashboard to be drawn many times. */
const STEPS = 500;
const SAMPLE_MS = 50;

/** In a workspace that does not call for the extension. */
export function activation(_context: vscode.ExtensionContext, measured: Measured): void {
  it("activates", async () => {
    measured["host before activation (MB)"] = megabytes();
    measured["activation (ms)"] = await millisecondsToActivate();
    measured["host after activation (MB)"] = megabytes();
  });
}

/** In a workspace with run files: while a dashboard follows a run. */
export function memory(_context: vscode.ExtensionContext, measured: Measured): void {
  it("follows a run", async function () {
    this.timeout(100_000);
    let peak = 0;
    const sampling = setInterval(() => (peak = Math.max(peak, megabytes())), SAMPLE_MS);
    const folder = await command<string | undefined>("startRun", runFile("first.muonscope.json"));
    assert.ok(folder, "a run");
    for (let step = 0; step < STEPS;) {
      const from = step;
      ({ step } = await stateOf(folder, `steps after ${from}`, (state) => state.step > from));
    }
    clearInterval(sampling);
    measured["host at its peak, following a run (MB)"] = peak;
    await applied("stopRun", folder);
  });
}
