/** The same window, loaded again: the run of the first start is still there and live, obeys, stops, and goes on from its checkpoint. */
import { strict as assert } from "node:assert";
import { inSequence } from "./mocha";
import { applied, command, product, runsFolder, stateOf } from "./product";
import { eventsOf, nextEvent, noRunIn, runsBelow, waitFor } from "./waiting";

/** Signal 0 asks whether a process is there. */
function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

export function reload(): void {
  let folder = "";
  const pidOf = (): number => {
    const started = eventsOf(folder).findLast((event) => event.type === "started");
    assert.ok(started?.type === "started");
    return started.pid;
  };

  describe("after a reload of the window", () => {
    inSequence(() => noRunIn(runsFolder()));
    it("the run is still there and live", async () => {
      await waitFor("the activation", () => product().isActive);
      [folder] = runsBelow(runsFolder()) as [string];
      const { step } = await stateOf(folder, "the run", ({ status }) => status === "running");
      await stateOf(folder, "further steps", (state) => state.step > step + 5);
      assert.equal(eventsOf(folder).filter((event) => event.type === "started").length, 1, "it is the process of before");
      assert.ok(isThere(pidOf()));
    });
    it("it still obeys", async () => {
      assert.deepEqual((await applied("toggleOrthogonalization", folder)).set, { orthogonalize: false });
      assert.deepEqual((await applied("toggleOrthogonalization", folder)).set, { orthogonalize: true });
    });
    it("it stops when told to, with a checkpoint, and its process ends", async () => {
      const pid = pidOf();
      await applied("stopRun", folder);
      const { checkpoint } = await nextEvent(folder, "stopped", 0);
      assert.ok(checkpoint);
      await waitFor("the end of the trainer", () => !isThere(pid));
      await stateOf(folder, "the stop", ({ status }) => status === "stopped");
    });
    it("it goes on from its checkpoint", async () => {
      const { step } = await stateOf(folder, "the stop", ({ status }) => status === "stopped");
      assert.equal(await command("resumeRun", folder), folder);
      await stateOf(folder, "further steps", (state) => state.status === "running" && state.step > step);
      const restart = eventsOf(folder).findLast((event) => event.type === "started");
      assert.ok(restart?.type === "started" && restart.resumedFrom !== null);
      await applied("stopRun", folder);
      await stateOf(folder, "the stop", ({ status }) => status === "stopped");
    });
  });
}
