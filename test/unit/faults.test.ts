/** The trainer as it ships, while calls on its files fail one kind after the other: it says so, goes on when it can, obeys a stop. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join, resolve } from "node:path";
import { before, after, describe, it, type TestContext } from "node:test";
import { order } from "../../extension/runs/order";
import { temporaryFolder, until } from "./folders";
import { endless, eventsOf, read, text } from "./runs";

const { EIO, ENOSPC } = constants.errno;

function unable(): string | false {
  if (process.platform !== "linux") return "calls are made to fail by Linux's LD_PRELOAD";
  try {
    execFileSync("cc", ["--version"], { stdio: "pipe" });
    return false;
  } catch {
    return "what makes calls fail needs a C compiler (cc)";
  }
}

class Trainer {
  folder = "";
  readonly ended: Promise<number | null>;

  private constructor(
    private readonly place: string,
    readonly child: ReturnType<typeof spawn>,
  ) {
    this.ended = once(child, "exit").then(([code]) => code as number | null);
  }

  /** With these faults from its beginning. */
  static begin(t: TestContext, library: string, ...faults: string[]): Trainer {
    const place = temporaryFolder(t);
    writeFileSync(join(place, "text.txt"), text);
    writeFileSync(join(place, "tiny.muonscope.json"), JSON.stringify(endless));
    writeFileSync(join(place, "faults"), faults.join("\n"));
    const log = openSync(join(place, "trainer.log"), "w");
    const child = spawn(process.execPath, [resolve("dist/trainer.js"), "tiny.muonscope.json"], {
      cwd: place,
      stdio: ["ignore", log, log],
      env: { ...process.env, LD_PRELOAD: library, MUONSCOPE_FAULTS: join(place, "faults") },
    });
    closeSync(log);
    t.after(() => child.kill("SIGKILL"));
    return new Trainer(place, child);
  }

  /** Once there is a first checkpoint. */
  async trains(): Promise<this> {
    await until("the run's folder", () => existsSync(this.runs) && this.folders.length > 0);
    this.folder = join(this.runs, this.folders[0]!);
    await until("a checkpoint", () => this.count("checkpoint") > 0);
    return this;
  }

  get runs(): string {
    return join(this.place, ".muonscope", "runs");
  }

  get folders(): string[] {
    return readdirSync(this.runs);
  }

  /** What it printed. */
  get said(): string {
    return readFileSync(join(this.place, "trainer.log"), "utf8");
  }

  fail(...faults: string[]): void {
    writeFileSync(join(this.place, "faults"), faults.join("\n"));
  }

  count(type: string): number {
    const path = join(this.folder, "events.jsonl");
    return existsSync(path) ? eventsOf(this.folder).filter((event) => event.type === type).length : 0;
  }

  alerts(): string[] {
    return eventsOf(this.folder).flatMap((event) => (event.type === "alert" ? [event.message] : []));
  }

  /** Two are written, so that one was begun after now. */
  async saves(): Promise<void> {
    const now = this.count("checkpoint");
    await until("checkpoints", () => this.count("checkpoint") >= now + 2);
  }

  async stops(code: number): Promise<void> {
    await order(this.folder, { do: "stop" });
    assert.equal(await this.ended, code, this.said);
  }
}

describe("a trainer whose files fail", { skip: unable(), timeout: 120_000 }, () => {
  let library = "";
  before(() => {
    library = resolve("dist/test/faults.so");
    execFileSync("cc", ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, "test/faults/faults.c", "-ldl"], { stdio: "pipe" });
  });
  after(() => rmSync(library, { force: true }));

  it("pauses while its log cannot be written or synced, and goes on by itself", async (t) => {
    const trainer = await Trainer.begin(t, library).trains();
    for (const fault of [
      `write ${ENOSPC} .tfevents.`,
      `write ${EIO} .tfevents.`,
      `write ${ENOSPC} events.jsonl`,
      `sync ${EIO} .tfevents.`,
      `sync ${EIO} events.jsonl`,
    ]) {
      const resumed = trainer.count("resumed");
      const said = trainer.said.length;
      trainer.fail(fault);
      // An event makes events.jsonl be written, too.
      await order(trainer.folder, { set: { lrFactor: 1 } });
      await until(`a word of ${fault}`, () => /cannot be written to \(E\w+: .*goes on by itself/.test(trainer.said.slice(said)));
      trainer.fail();
      await until(`the end of ${fault}`, () => trainer.count("resumed") > resumed);
      await trainer.saves();
    }
    await trainer.stops(0);
    const reader = await read(trainer.folder);
    assert.deepEqual(reader.warnings, []);
    const last = reader.state().step;
    assert.deepEqual(
      [...reader.series("loss/train")!.steps],
      Array.from({ length: last }, (_, i) => i + 1),
      "nothing is lost or doubled",
    );
  });

  it("goes on without a checkpoint, and without its own output and orders, and says so", async (t) => {
    const trainer = await Trainer.begin(t, library).trains();
    for (const [fault, message] of [
      [`write ${ENOSPC} .safetensors`, /The checkpoint of step \d+ could not be written: ENOSPC.*Free space, then order another one\./],
      [`sync ${EIO} .safetensors`, /The checkpoint of step \d+ could not be written: EIO.*fsync/],
      [`rename ${EIO} .safetensors`, /The checkpoint of step \d+ could not be written: EIO.*rename/],
      [`open ${EIO} .safetensors`, /The checkpoint of step \d+ could not be written: EIO.*open/],
      [`read ${EIO} control.jsonl`, /Orders cannot be read: EIO/],
    ] as const) {
      trainer.fail(fault);
      await order(trainer.folder, { do: "measure" });
      await until(`a word of ${fault}`, () => trainer.alerts().some((alert) => message.test(alert)));
      trainer.fail();
      await trainer.saves();
      const parts = readdirSync(join(trainer.folder, "checkpoints")).filter((name) => name.endsWith(".part"));
      assert.ok(parts.length <= 1, `at most the one that is being written: ${parts.join(", ")}`);
    }
    assert.equal(trainer.count("applied"), 5, "no order was lost");
    trainer.fail(`write ${ENOSPC} trainer.log`);
    // What it has to say is that it resumes.
    await order(trainer.folder, { do: "pause" });
    await order(trainer.folder, { do: "resume" });
    await until("a word of it", () => trainer.alerts().some((alert) => /What the trainer prints cannot be written: ENOSPC/.test(alert)));
    await trainer.saves();
    trainer.fail();
    await trainer.stops(0);
    assert.match(trainer.said, /Stopped after step \d+\. Go on:/, "it speaks again");
  });

  it("obeys a stop while nothing can be written: it fails, and says what is not saved", async (t) => {
    const stopped = (
      [
        [`write ${EIO} .tfevents.`, "EIO"],
        [`write ${ENOSPC} events.jsonl`, "ENOSPC"],
        [`sync ${EIO} .tfevents.`, "EIO"],
        [`write ${ENOSPC} .safetensors`, "ENOSPC"],
      ] as const
    ).map(async ([fault, code]) => {
      const trainer = await Trainer.begin(t, library).trains();
      trainer.fail(fault);
      const word = fault.includes(".safetensors") ? /could not be written/ : /cannot be written to/;
      await until(`a word of ${fault}`, () => word.test(trainer.said));
      await trainer.stops(1);
      const ending = new RegExp(
        `Stopped \\(ordered\\) after step \\d+, but the checkpoint .*${code}.*What came after step \\d+ is not saved`,
      );
      assert.match(trainer.said, ending);
    });
    await Promise.all(stopped);
  });

  it("obeys a signal while orders cannot be read", async (t) => {
    const trainer = await Trainer.begin(t, library).trains();
    trainer.fail(`read ${EIO} control.jsonl`);
    await order(trainer.folder, { do: "pause" });
    await until("a word of it", () => trainer.alerts().length > 0);
    trainer.child.kill("SIGTERM");
    assert.equal(await trainer.ended, 0, trainer.said);
    assert.equal((await read(trainer.folder)).state().status, "stopped");
  });

  it("that cannot begin says why, and leaves no folder", async (t) => {
    const faults = [
      `write ${ENOSPC} run.json`,
      `sync ${EIO} run.json`,
      `rename ${EIO} run.json`,
      `write ${ENOSPC} .tfevents.`,
      `write ${ENOSPC} events.jsonl`,
      `open ${EIO} control.jsonl`,
      `write ${ENOSPC} .lock`,
      `sync ${EIO} .muonscope/runs`,
    ];
    const begun = faults.map((fault) => Trainer.begin(t, library, fault));
    for (const [i, trainer] of begun.entries()) {
      assert.equal(await trainer.ended, 1, faults[i]);
      assert.match(trainer.said, /(cannot be written to|which is not possible): E(NOSPC|IO).*\n$/, faults[i]);
      assert.ok(!/ {4}at /.test(trainer.said), `no stack: ${trainer.said}`);
      assert.deepEqual(trainer.folders, [], faults[i]);
    }
  });
});
