/** A workspace that is not trusted and has no run yet: activation is timed, runs are read, none is started or steered. */
import { strict as assert } from "node:assert";
import { cpSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import * as vscode from "vscode";
import { inSequence } from "./mocha";
import { command, millisecondsToActivate, runsFolder, stateOf, workspaceFolder } from "./product";
import { eventsOf, noRunIn, runsBelow, SLOWNESS } from "./waiting";

/** The aim is 100 ms (`npm run bench`). Five times that counts as broken, and more where all takes longer. */
const ACTIVATION_LIMIT_MS = 500;

/** Environment: MUONSCOPE_TEST_FINISHED_RUNS, a folder of runs that the phases before left. */
export function untrusted(_context: vscode.ExtensionContext, measured: Record<string, number>): void {
  describe("in an untrusted workspace", () => {
    it("the extension activates quickly", async () => {
      assert.equal(vscode.workspace.isTrusted, false);
      const milliseconds = await millisecondsToActivate();
      const limit = ACTIVATION_LIMIT_MS * SLOWNESS;
      measured["activation (ms)"] = milliseconds;
      measured["limit of the activation here (ms)"] = limit;
      assert.ok(milliseconds < limit, `${milliseconds.toFixed(0)} ms; the limit is ${limit.toFixed(0)} ms`);
    });
  });

  describe("in an untrusted workspace with a run", () => {
    const finished = process.env["MUONSCOPE_TEST_FINISHED_RUNS"] ?? "";
    inSequence(() => noRunIn(finished));
    let folder = "";

    it("runs are read", async () => {
      const [one] = runsBelow(finished) as [string];
      folder = join(runsFolder(), basename(one));
      cpSync(one, folder, { recursive: true });
      await command("refreshRuns");
      const state = await stateOf(folder, "the run", ({ step }) => step > 0);
      assert.equal(state.status, "stopped");
    });
    it("no run is started", async () => {
      const file = join(workspaceFolder(), "new.muonscope.json");
      writeFileSync(file, JSON.stringify({ data: { files: ["*.json"] } }));
      assert.equal(await command("startRun", vscode.Uri.file(file)), undefined);
      assert.equal(await command("startRun", "normuon"), undefined);
      assert.deepEqual(runsBelow(runsFolder()), [folder]);
    });
    it("no run is resumed or given orders", async () => {
      const known = eventsOf(folder).length;
      assert.equal(await command("resumeRun", folder), undefined);
      assert.equal(await command("toggleNormalization", folder), undefined);
      assert.equal(eventsOf(folder).length, known);
    });
  });
}
