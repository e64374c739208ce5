/** First start: activation, commands, and a run on the CPU that is steered while it goes on. It is left running. */
import { strict as assert } from "node:assert";
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";
import type { BackendReport } from "../../extension/protocol/description";
import { inSequence } from "./mocha";
import { applied, command, outputOf, product, runFile, runsFolder, stateOf, type Answer } from "./product";
import { eventsOf, nextEvent, runsBelow, waitFor } from "./waiting";

interface Manifest {
  contributes: { commands: { command: string; title: string; category?: string }[] };
}

export function run(context: vscode.ExtensionContext): void {
  describe("the extension", () => {
    it("activates by itself in a workspace with a run file", async () => {
      await waitFor("the activation", () => product().isActive);
    });
    it("registers every command of its manifest, and no other", async () => {
      const declared = (product().packageJSON as Manifest).contributes.commands.map((each) => each.command).sort();
      // VS Code adds its own for each view: muonscope.runs.focus and the like.
      const registered = (await vscode.commands.getCommands(true)).filter(
        (id) => id.startsWith("muonscope.") && !id.startsWith("muonscope.runs."),
      );
      assert.deepEqual(registered.sort(), declared);
    });
    it("names its commands by VS Code's conventions", () => {
      for (const { command: id, title, category } of (product().packageJSON as Manifest).contributes.commands) {
        assert.equal(category, "Muonscope", id);
        assert.match(title, /^[A-Z]/, id);
      }
    });
  });

  describe("the devices", () => {
    it("are told, with the CPU among them, without loading the engine here", async () => {
      const reports = await command<BackendReport[]>("showDevices");
      assert.ok(
        reports.some(({ id, available }) => id === "cpu" && available),
        JSON.stringify(reports),
      );
      await vscode.commands.executeCommand("workbench.action.closeQuickOpen");
    });
  });

  describe("a run on the CPU", () => {
    inSequence();
    let folder = "";

    it("starts from a run file and writes steps", async () => {
      const started = await command<string | undefined>("startRun", runFile("first.muonscope.json"));
      assert.ok(started, `a run folder; the output channel says:\n${outputOf(context)}`);
      folder = started;
      assert.equal(join(folder, ".."), runsFolder());
      const state = await stateOf(folder, "ten steps", ({ step }) => step >= 10);
      assert.equal(state.status, "running");
      assert.ok(Number.isFinite(state.loss));
      assert.equal(product().exports.activeRun(), folder);
    });

    it("takes a toggle between two steps and goes on", async () => {
      const before = (await stateOf(folder, "a step", ({ step }) => step > 0)).step;
      const answer = await applied("toggleNormalization", folder);
      assert.deepEqual(answer.set, { normalize: false });
      assert.ok(answer.step > before, `in force from step ${answer.step}, ordered at ${before}`);
      const after = await stateOf(folder, "steps after the toggle", ({ step }) => step > answer.step + 5);
      assert.equal(after.status, "running");
      assert.deepEqual((await applied("toggleNormalization", folder)).set, { normalize: true });
    });

    it("changes a knob of some matrices only", async () => {
      const answer = await applied("setKnob", folder, "lr", 0.005, "blocks.0.*");
      assert.deepEqual([answer.set, answer.scope], [{ lr: 0.005 }, "blocks.0.*"]);
    });

    it("refuses a value out of range, says why, and goes on", async () => {
      const answer = await command<Answer | undefined>("setKnob", folder, "beta1", 2);
      assert.ok(answer?.type === "refused", JSON.stringify(answer));
      assert.match(answer.reason, /beta1.*expected.*got|beta1.*expected.*received/s);
      const { step } = await stateOf(folder, "a step", () => true);
      await stateOf(folder, "steps after the refusal", (state) => state.step > step && state.status === "running");
    });

    it("pauses, steps once and goes on", async () => {
      await applied("pauseRun", folder);
      const paused = await stateOf(folder, "the pause", ({ status }) => status === "paused");
      await applied("singleStep", folder);
      const stepped = await stateOf(folder, "one step", ({ step, status }) => step === paused.step + 1 && status === "paused");
      await applied("resumeRun", folder);
      await stateOf(folder, "steps after the pause", ({ step, status }) => step > stepped.step + 5 && status === "running");
    });

    it("writes a checkpoint when asked", async () => {
      const known = eventsOf(folder).length;
      await applied("checkpointNow", folder);
      const { file } = await nextEvent(folder, "checkpoint", known);
      assert.ok(existsSync(join(folder, file)) || existsSync(file), file);
    });

    it("answers a run file with an unknown knob by a sentence, and starts nothing", async () => {
      const known = runsBelow(runsFolder());
      assert.equal(await command<string | undefined>("startRun", runFile("wrong.muonscope.json")), undefined);
      const said = await waitFor("the sentence in the output channel", () => /^.*wrong\.muonscope\.json.*$/m.exec(outputOf(context))?.[0]);
      assert.match(said, /normalise/);
      assert.match(said, /normalize/, "it names the nearest knob");
      assert.deepEqual(runsBelow(runsFolder()), known);
    });
  });
}
