/** A living run whose files are taken away: it hears its orders as long as it can, and ends when nobody could find it. */
import assert from "node:assert/strict";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { order } from "../../extension/runs/order";
import { lock, thisProcess } from "../../extension/trainer/lock";
import { until } from "./folders";
import { begin, eventOf, eventsOf, read, resume, type Running } from "./runs";

const endless = { steps: 1e6, checkpoints: { every: 10, keep: 2 } };
const slow = { milliseconds: 2 };
const applied = (folder: string): number => eventsOf(folder).filter(({ type }) => type === "applied").length;
const control = (folder: string): string => join(folder, "control.jsonl");

async function givenTwo(running: Running): Promise<void> {
  const first = await order(running.folder, { set: { lrFactor: 0.5 } });
  const second = await order(running.folder, { set: { lr: 0.5 } });
  for (const id of [first, second]) await eventOf(running, "applied", (event) => event.order === id);
}

describe("orders are heard when their file was", () => {
  const changes: [string, (path: string) => void][] = [
    ["deleted", (path) => rmSync(path)],
    ["emptied", (path) => truncateSync(path)],
    ["shortened", (path) => truncateSync(path, readFileSync(path, "utf8").indexOf("\n") + 1)],
    ["replaced by a copy, as editors save", (path) => (cpSync(path, `${path}~`), renameSync(`${path}~`, path))],
    [
      "replaced by one of other orders",
      (path) => writeFileSync(path, readFileSync(path, "utf8").split("\n").reverse().join("\n").trim() + "\n"),
    ],
    ["emptied and as long again at the next look", (path) => writeFileSync(path, `${" ".repeat(readFileSync(path).length - 1)}\n`)],
  ];
  for (const [what, change] of changes) {
    it(what, async (t) => {
      const running = await begin(t, endless, slow);
      await givenTwo(running);
      change(control(running.folder));
      const id = await order(running.folder, { do: "measure" });
      await eventOf(running, "applied", (event) => event.order === id);
      assert.equal(applied(running.folder), 3, "none twice");
      await order(running.folder, { do: "stop" });
      await running.done;
      assert.equal((await read(running.folder)).state().status, "stopped");
      assert.deepEqual(
        eventsOf(running.folder).filter(({ type }) => type === "refused" || type === "alert"),
        [],
      );
    });
  }

  it("unreadable for a while, which is said once", async (t) => {
    const running = await begin(t, endless, slow);
    await givenTwo(running);
    const aside = `${control(running.folder)}.aside`;
    renameSync(control(running.folder), aside);
    mkdirSync(control(running.folder));
    const alert = await eventOf(running, "alert");
    assert.match(alert.message, /^Orders cannot be read: .*control\.jsonl: expected a file of the run's own, found a folder\./);
    await eventOf(running, "checkpoint", ({ step }) => step > alert.step + 20);
    rmSync(control(running.folder), { recursive: true });
    renameSync(aside, control(running.folder));
    await order(running.folder, { do: "stop" });
    await running.done;
    assert.equal(eventsOf(running.folder).filter(({ type }) => type === "alert").length, 1);
    assert.equal(applied(running.folder), 3);
  });

  it("longer than is read at once, each line a line", async (t) => {
    const running = await begin(t, endless, slow);
    const line = (id: number): string => `${JSON.stringify({ id: `${id}`, do: "measure" })}${" ".repeat(1000)}\n`;
    appendFileSync(control(running.folder), Array.from({ length: 3000 }, (_, id) => line(id)).join(""));
    await eventOf(running, "applied", (event) => event.order === "2999");
    await order(running.folder, { do: "stop" });
    await running.done;
    assert.equal(applied(running.folder), 3001);
  });
});

describe("a run ends, with what is not saved, when its folder", () => {
  const ends = (running: Running, how: string): Promise<void> =>
    assert.rejects(running.done, {
      name: "UserError",
      message: new RegExp(
        `^${running.folder} is no longer the folder of this run: ${how}\\. The run ends after step \\d+\\. ` +
          `What came after step \\d+ is not saved: it goes on from step \\d+\\. If it was moved, resume the run where it is now\\.$`,
      ),
    });

  it("was deleted; none is made in its place", async (t) => {
    const running = await begin(t, endless, slow);
    await eventOf(running, "checkpoint");
    renameSync(running.folder, `${running.folder}-trash`);
    rmSync(`${running.folder}-trash`, { recursive: true });
    await ends(running, "it was deleted or moved");
    assert.ok(!existsSync(running.folder));
  });

  it("was moved, even while it is paused; where it is now, it says so", async (t) => {
    const running = await begin(t, endless, slow);
    await eventOf(running, "checkpoint");
    await order(running.folder, { do: "pause" });
    await eventOf(running, "paused");
    renameSync(running.folder, `${running.folder}-moved`);
    await ends(running, "it was deleted or moved");
    assert.equal((await read(`${running.folder}-moved`)).state().status, "failed");
  });

  it("was replaced; what is in its place is left alone, its lock, too", async (t) => {
    const running = await begin(t, endless, slow);
    await eventOf(running, "checkpoint");
    renameSync(running.folder, `${running.folder}-moved`);
    mkdirSync(running.folder);
    const release = await lock(running.folder, await thisProcess());
    await ends(running, "another folder is in its place");
    assert.ok(existsSync(join(running.folder, "trainer.lock")));
    release();
    assert.ok(!existsSync(join(running.folder, "trainer.lock")));
  });

  it("was deleted shortly before its last step", async (t) => {
    let folder = "";
    const onStep = (step: number): undefined => {
      if (step === 20) renameSync(folder, `${folder}-moved`);
    };
    const running = await begin(t, { ...endless, steps: 20 }, { onStep });
    folder = running.folder;
    await ends(running, "it was deleted or moved");
  });

  for (const [name, how] of [
    ["events.jsonl", "deleted or moved"],
    ["events.out.", "deleted or moved"],
    ["events.out.", "replaced"],
    ["run.json", "deleted or moved"],
  ] as const) {
    it(`has no ${name} any more, for it was ${how}: it is saved, and goes on from there once that is back`, async (t) => {
      const running = await begin(t, { ...endless, checkpoints: { every: 0 } }, slow);
      await until("steps", () => running.session.batches.position > 40);
      const path = join(
        running.folder,
        readdirSync(running.folder).find((each) => each.startsWith(name))!,
      );
      renameSync(path, `${path}.aside`);
      if (how === "replaced") cpSync(`${path}.aside`, path);
      const ending = await running.done.then(
        () => "",
        (error: Error) => error.message,
      );
      const step = /What came after step (\d+) is not saved: it goes on from step \1\. Put it back, then resume the run\.$/.exec(
        ending,
      )?.[1];
      assert.match(ending, new RegExp(`: its ${name}.* was ${how}\\. The run ends after step ${step}\\.`));
      renameSync(`${path}.aside`, path);
      const again = await resume(running.folder, slow);
      assert.equal(again.session.step, Number(step));
      await order(running.folder, { do: "stop" });
      await again.done;
      assert.deepEqual((await read(running.folder)).warnings, []);
    });
  }

  it("is not missed by one that is moved away and back", async (t) => {
    const running = await begin(t, endless, slow);
    await eventOf(running, "checkpoint");
    renameSync(running.folder, `${running.folder}-moved`);
    renameSync(`${running.folder}-moved`, running.folder);
    const { step } = eventsOf(running.folder).at(-1)!;
    const since = performance.now(); // longer than two looks take
    await until("it to go on", () => performance.now() - since > 2500 && eventsOf(running.folder).at(-1)!.step > step);
    await order(running.folder, { do: "stop" });
    await running.done;
  });
});
