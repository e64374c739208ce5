/** What a run leaves to go on from: no checkpoint deleted for a damaged one, and no end that hides what is not saved. */
import assert from "node:assert/strict";
import { readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import files from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { order } from "../../extension/runs/order";
import { findCheckpoint } from "../../extension/trainer/checkpoints";
import { smallDisk, until } from "./folders";
import { begin, eventsOf, read, resume } from "./runs";

const checkpoints = (folder: string): string[] => readdirSync(join(folder, "checkpoints")).sort();
const path = (folder: string, step: number): string => join(folder, "checkpoints", `step-${String(step).padStart(8, "0")}.safetensors`);
const ending = async (folder: string): Promise<[string, string | null]> => {
  const { status, reason } = (await read(folder)).state();
  return [status, reason];
};

describe("a run whose checkpoints are damaged", () => {
  it("all of them: what it writes from the beginning stays, and it goes on from that", async (t) => {
    const json = { steps: 60, checkpoints: { every: 10, keep: 2 } };
    const first = await begin(t, json);
    await first.done;
    assert.deepEqual(checkpoints(first.folder), ["step-00000050.safetensors", "step-00000060.safetensors"]);
    for (const step of [50, 60]) truncateSync(path(first.folder, step), 100);
    const again = await resume(first.folder, { milliseconds: 3 });
    // Six were written before.
    await until("two checkpoints", () => eventsOf(first.folder).filter(({ type }) => type === "checkpoint").length >= 8);
    await order(first.folder, { do: "stop" });
    await again.done;
    const stopped = eventsOf(first.folder).at(-1)!;
    assert.equal(stopped.type, "stopped");
    const found = await findCheckpoint(first.folder);
    assert.equal(found.content?.step, stopped.step);
    assert.deepEqual(found.damaged, [], "the damaged ones went first");
  });

  it("one of them: it is no longer taken for damaged once it was written anew", async (t) => {
    const first = await begin(t, { checkpoints: { every: 10, keep: 2 } });
    await first.done;
    truncateSync(path(first.folder, 40), 100);
    const again = await resume(first.folder);
    assert.equal(again.session.damaged.size, 1);
    await again.done;
    assert.equal(again.session.damaged.size, 0);
    assert.deepEqual(checkpoints(first.folder), ["step-00000030.safetensors", "step-00000040.safetensors"]);
  });

  it("says when an old one cannot be removed, which is no fault of the new one", async (t) => {
    t.mock.method(files, "unlink", () => Promise.reject(Object.assign(new Error("EPERM: not permitted"), { code: "EPERM" })));
    const running = await begin(t, { steps: 15, checkpoints: { every: 5, keep: 1 } });
    await running.done;
    const alerts = eventsOf(running.folder).flatMap((event) => (event.type === "alert" ? [event.message] : []));
    const message = "Old checkpoints could not be removed: EPERM: not permitted. They take space until that works again.";
    assert.deepEqual(alerts, [message, message]);
    assert.equal(eventsOf(running.folder).filter(({ type }) => type === "checkpoint").length, 3);
    assert.equal((await ending(running.folder))[0], "finished");
  });
});

describe("an end without a checkpoint", () => {
  it("after the last step is a failure that says what is not saved, and the run goes on from there", async (t) => {
    const place = smallDisk(t, 512);
    if (place === undefined) return;
    const filler = join(place, "filler");
    const onSave = (step: number): void => {
      if (step === 40) assert.throws(() => writeFileSync(filler, new Uint8Array(1 << 20)), /ENOSPC/);
    };
    const running = await begin(t, {}, { onSave }, undefined, place);
    const message =
      /^All 40 steps are made, but the checkpoint of step 40 could not be written: ENOSPC.*\. Free space, then resume it\. What came after step 30 is not saved: it goes on from step 30\.$/;
    await assert.rejects(running.done, { name: "UserError", message });
    rmSync(filler);
    const [status, reason] = await ending(running.folder);
    assert.equal(status, "failed");
    assert.match(reason!, message);
    await (
      await resume(running.folder)
    ).done;
    assert.equal((await ending(running.folder))[0], "finished");
    assert.equal((await findCheckpoint(running.folder)).content?.step, 40);
  });

  it("after a stop is one, too", async (t) => {
    const onSave = (): void => {
      throw new Error("The engine has none. Ask another.");
    };
    const running = await begin(t, { steps: 1e6, checkpoints: { every: 0 } }, { onSave, milliseconds: 2 });
    await until("a step", () => running.session.batches.position > 0);
    await order(running.folder, { do: "stop" });
    const message =
      /^Stopped \(ordered\) after step \d+, but the checkpoint of step \d+ could not be written: The engine has none\. Ask another\. Nothing of the run is saved: it goes on from step 0\.$/;
    await assert.rejects(running.done, { name: "UserError", message });
    assert.equal((await ending(running.folder))[0], "failed");
  });

  it("is none when the fault passes in time", async (t) => {
    let faults = 2;
    const onSave = (): void => {
      if (faults-- > 0) throw new Error("Not now.");
    };
    const running = await begin(t, { checkpoints: { every: 0 } }, { onSave });
    await running.done;
    assert.equal((await ending(running.folder))[0], "finished");
    assert.match(running.said.join(""), /could not be written: Not now\. Trying again\./);
  });
});
