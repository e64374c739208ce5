/** The Runs view and what is opened from it, over runs that are larger, or other, than any that a trainer wrote. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { EVENTS_JSONL, TRAINER_LOG } from "../../extension/protocol/runFolder";
import { startText } from "../../extension/ui/chooseRun";
import { openEditor } from "./editor";
import { commands, fake } from "./fakeVscode";
import { begin } from "./runs";

type Row = Record<"label" | "description" | "tooltip", string> & { iconPath: { id: string } };

/** A finished run with more in its record. */
async function open(t: TestContext, events: object[] = []): Promise<{ run: string; rows: () => Promise<Row[]> }> {
  fake.reset();
  const made = await begin(t, { steps: 12 });
  await made.done;
  const lines = events.map((event) => `${JSON.stringify({ time: new Date().toISOString(), step: 7, ...event })}\n`);
  appendFileSync(join(made.folder, EVENTS_JSONL), lines.join(""));
  const tree = await openEditor(t, join(made.folder, "..", ".."));
  const rows = async (): Promise<Row[]> => {
    const [element] = (await tree.getChildren()) as unknown[];
    return ((await tree.getChildren(element)) as unknown[]).map((child) => tree.getTreeItem(child) as Row);
  };
  return { run: made.folder, rows };
}

describe("the rows of a run", { timeout: 60_000 }, () => {
  it("are its alerts, orders and checkpoints, the latest first", async (t) => {
    const { rows } = await open(t, [
      { type: "alert", severity: "error", message: "it is not finite", step: 8 },
      { type: "alert", severity: "warning", message: "it is near", step: 9 },
      { type: "applied", order: "1", set: { normalize: false }, step: 11 },
    ]);
    const found = await rows();
    assert.deepEqual(
      found.map(({ label, description, iconPath }) => [label, description, iconPath.id]),
      [
        ["step-00000012.safetensors", "step 12", "archive"],
        ["normalize off", "step 11", "settings"],
        ["step-00000010.safetensors", "step 10", "archive"],
        ["it is near", "step 9", "warning"],
        ["it is not finite", "step 8", "error"],
      ],
    );
  });
  it("are few, of however many: the last says how many more there are", async (t) => {
    const alert = { type: "alert", severity: "warning", message: "again", step: 7 };
    const { rows } = await open(
      t,
      Array.from({ length: 20_000 }, () => alert),
    );
    const found = await rows();
    assert.equal(found.length, 501);
    // Two checkpoints come before 498 alerts.
    assert.deepEqual([found.at(-1)?.label, found.at(-1)?.description], ["19,502 more", "in the run's folder"]);
  });
  it("and the alerts of its page are few, with how many were before", async (t) => {
    const { run } = await open(
      t,
      Array.from({ length: 5000 }, (_, step) => ({ type: "alert", severity: "warning", message: "again", step })),
    );
    await commands.executeCommand("muonscope.openDashboard", run);
    const [panel] = fake.panels;
    panel!.says({ type: "ready" });
    const record = panel!.posted.find((message) => (message as { type: string }).type === "record") as {
      alerts: { latest: { step: number }[]; earlier: number };
    };
    const { latest, earlier } = record.alerts;
    assert.deepEqual([latest.length, latest.at(-1)?.step, earlier], [100, 4999, 4900]);
  });
});

describe("when a run was started", () => {
  it("is told as a date is, and is unknown where it is none", () => {
    const time = Date.UTC(2026, 0, 31, 13, 5, 9);
    assert.equal(startText(time), `started ${new Date(time).toLocaleString()}`);
    for (const none of [NaN, Infinity, 8.64e15 + 1, -1e300]) assert.equal(startText(none), "started at an unknown time");
  });
});

describe("the trainer's log", { timeout: 60_000 }, () => {
  it("is opened when it is a file, and nothing is in its place", async (t) => {
    const { run } = await open(t);
    const log = join(run, TRAINER_LOG);
    const opened = (): unknown[] => fake.executed.filter(([what]) => what === "showTextDocument");
    const ask = (): Promise<unknown> => commands.executeCommand("muonscope.openTrainerLog", run);
    const said = (): string => fake.said.findLast(({ how }) => how === "message")?.text ?? "";
    assert.equal(await ask(), undefined);
    assert.match(said(), /has no trainer\.log/);
    symlinkSync("/dev/zero", log);
    assert.equal(await ask(), undefined);
    assert.match(said(), /trainer\.log: expected a file, found a/);
    rmSync(log);
    mkdirSync(log);
    assert.equal(await ask(), undefined);
    assert.match(said(), /trainer\.log: expected a file, found a/);
    assert.deepEqual(opened(), []);
    rmSync(log, { recursive: true });
    writeFileSync(log, "all is well");
    assert.equal(await ask(), log);
    assert.deepEqual(opened(), [["showTextDocument", log]]);
  });
});
