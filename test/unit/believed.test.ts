/** What `run.json` and `events.jsonl` say is believed only where it is what it has to be. */
import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { RunEvent, RunJson } from "../../extension/protocol/runFolder";
import { parseEvent } from "../../extension/runs/runEvent";
import { parseRunJson } from "../../extension/runs/runJson";
import { RunReader } from "../../extension/runs/runFolder";
import { history } from "../../extension/ui/knobs";
import { markersOf } from "../../extension/ui/markers";
import { temporaryFolder } from "./folders";
import { begin, eventsOf, read, resume } from "./runs";

/** A deep copy with one place changed: "spec.model.layers". */
function changed(json: object, path: string, value: unknown): Record<string, unknown> {
  const copy = structuredClone(json) as Record<string, unknown>;
  const keys = path.split(".");
  const last = keys.pop()!;
  const at = keys.reduce((inner, key) => inner[key] as Record<string, unknown>, copy);
  if (value === undefined) delete at[last];
  else at[last] = value;
  return copy;
}
const parse = (json: unknown) => parseRunJson(JSON.stringify(json));
const problem = (json: unknown): string => {
  const result = parse(json);
  assert.ok("problem" in result, "it is believed");
  return result.problem;
};

describe("run.json", () => {
  it("of the trainer is read as it was written", async (t) => {
    const { folder, done } = await begin(t, { steps: 2, device: 0, optimizer: { lr: 0.5, clip: 3 }, diagnostics: { channels: {} } });
    await done;
    const json = JSON.parse(readFileSync(join(folder, "run.json"), "utf8")) as RunJson;
    const { run, warnings } = await read(folder);
    assert.deepEqual([run, warnings], [json, []]);

    // Every single value of another type, or left out, is a problem in words or does not change anything else: nothing throws.
    const places = (value: unknown, path: string): string[] =>
      typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([key, inner]) => [`${path}${key}`, ...places(inner, `${path}${key}.`)])
        : [];
    let refused = 0;
    for (const place of places(json, "").filter((each) => !each.includes("files."))) {
      for (const value of [undefined, null, 5.5, "5", [], {}, true, "x".repeat(5000)]) {
        const result = parse(changed(json, place, value));
        if ("problem" in result) {
          assert.ok(result.problem.length < 400 && /expected|required/.test(result.problem), `${place}: ${result.problem}`);
          refused++;
        } else assert.ok(JSON.stringify(result.read).length < 2 * JSON.stringify(json).length + 5000);
      }
    }
    assert.ok(refused > 500, `${refused} refused`);

    assert.match(problem({}), /^format: expected 1, received undefined$/);
    assert.match(problem(changed(json, "format", 2)), /a newer version wrote it/);
    assert.match(problem(changed(json, "name", 5)), /^name: expected a text, received 5$/);
    assert.match(
      problem(changed(json, "spec.model.layers", "4")),
      /^spec\.model\.layers: expected an integer from 1 to 1000, received "4"$/,
    );
    assert.match(problem(changed(json, "spec.model", 4)), /^spec\.model: expected an object/);
    assert.match(problem(changed(json, "spec.optimizer.lr", {})), /^spec\.optimizer\.lr: expected a text/);
    assert.match(problem(changed(json, "parameters.0.name", "__proto__")), /^parameters\[0\]\.name: expected a name/);
    assert.match(problem(changed(json, "parameters", new Array(10_001).fill(json.parameters[0]))), /a list of at most 10000/);
    assert.match(problem(new Array(100_001).fill({})), /^expected at most 100000 values, there are more$/);
    assert.match(problem(null), /^the whole: expected an object, received null/);
  });
  it("of older versions is completed, and what a newer one added is kept where it is plain", async (t) => {
    const { folder, done } = await begin(t, { steps: 2 });
    await done;
    const json = JSON.parse(readFileSync(join(folder, "run.json"), "utf8")) as RunJson;
    let older: object = json;
    for (const place of ["memory", "spec.device", "spec.precision", "spec.model.recompute"]) older = changed(older, place, undefined);
    const { memory: _memory, ...rest } = json;
    const result = parse(older);
    assert.ok("read" in result, JSON.stringify(result));
    assert.deepEqual(result.read, rest);
    let newer: object = changed(json, "spec.model.experts", 8);
    newer = changed(changed(newer, "spec.fork", { deep: [1] }), "news", "x");
    const read = parse(newer);
    assert.ok("read" in read);
    assert.deepEqual(read.read.spec, changed(json.spec, "model.experts", 8));
  });
  it("has a name that fits a row", async (t) => {
    const { folder, done } = await begin(t, { steps: 2, name: `${"n".repeat(198)}😀${"n".repeat(300)}` });
    await done;
    const { run } = await read(folder);
    assert.deepEqual([run!.name, run!.spec.name], [`${"n".repeat(198)}…`, `${"n".repeat(198)}…`]);
  });
  it("that cannot be read is told by the run's state, once, and does not make a folder a run that starts", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "run.json"), '{"format": 1, "name": 5}');
    const reader = await read(folder);
    assert.equal(await reader.poll(), false);
    const { status, reason } = reader.state();
    assert.deepEqual([status, reason], ["unknown", `run.json is not read: ${reader.warnings[0]!.slice("run.json: ".length)}`]);
    assert.match(reason!, /id: expected a text/);
    assert.equal(reader.warnings.length, 1);
  });
});

const at = "2026-01-01T00:00:00Z";
const line = (event: object): string => `${JSON.stringify({ time: at, step: 1, ...event })}\n`;

describe("events.jsonl", () => {
  it("of the trainer is read as it was written", async (t) => {
    const { folder, done } = await begin(t, { steps: 12 });
    await done;
    await (
      await resume(folder).catch(() => undefined)
    )?.done;
    const { events, warnings } = await read(folder);
    assert.deepEqual([events, warnings], [eventsOf(folder), []]);
  });
  it("tells each bad line once, with its number, and the rest is read", async (t) => {
    const folder = temporaryFolder(t);
    const file = join(folder, "events.jsonl");
    const bad = [
      "null",
      "[]",
      "5",
      '{"type":"resumed"}',
      line({ type: "paused", reason: 5 }).trim(),
      line({ type: "started", pid: -1 }).trim(),
    ];
    const deep = "[".repeat(1000);
    writeFileSync(file, `${bad.join("\n")}\n${line({ type: "resumed" })}${deep}\n${line({ type: "resumed", step: 2 })}`);
    const reader = await read(folder);
    await reader.poll();
    assert.deepEqual(
      reader.events.map(({ step }) => step),
      [1, 2],
    );
    assert.deepEqual(
      reader.warnings.map((warning) => warning.slice(0, 50)),
      [
        "events.jsonl, line 1: the whole: expected an object, received null",
        "events.jsonl, line 2: the whole: expected an object, received []",
        "events.jsonl, line 3: the whole: expected an object, received 5",
        "events.jsonl, line 4: time: expected a time, received undefined",
        "events.jsonl, line 5: reason: expected a text, received 5",
        "events.jsonl, line 6: pid: expected an integer from 1",
        "events.jsonl, line 8: not JSON: Unexpected end of JSON input",
      ].map((warning) => warning.slice(0, 50)),
    );
  });
  it("keeps events of a newer version as what they are", () => {
    const result = parseEvent(line({ type: "forked", step: 7, into: "x" }));
    assert.deepEqual(result, { read: { type: "unknown", name: "forked", time: at, step: 7 } });
    const constructor = parseEvent(line({ type: "constructor" }));
    assert.ok("read" in constructor && constructor.read.type === "unknown");
  });
  it("bounds what a person reads and refuses what is compared", () => {
    const long = parseEvent(line({ type: "failed", message: "m".repeat(1e5) }));
    assert.ok("read" in long && long.read.type === "failed" && long.read.message.length === 2000);
    for (const event of [
      { type: "applied", order: "o".repeat(201) },
      { type: "applied", order: "1", scope: "*a".repeat(501) },
      { type: "applied", order: "1", set: { lr: { deep: 1 } } },
      { type: "applied", order: "1", before: { lr: { w: [] } } },
      { type: "applied", order: "1", set: JSON.parse('{"__proto__": 1}') as object },
      { type: "checkpoint", file: "f".repeat(5000), loss: 1 },
      { type: "finished", loss: "1", validationLoss: null, seconds: 1 },
      { type: "alert", severity: "loud", message: "" },
      { type: "resumed", step: -1 },
      { type: "resumed", step: 0.5 },
      { type: "resumed", time: "soon" },
    ]) {
      assert.ok("problem" in parseEvent(line(event)), JSON.stringify(event).slice(0, 80));
    }
  });
  it("of 200,000 lines is read in slices, and its end is known", async (t) => {
    const folder = temporaryFolder(t);
    const file = join(folder, "events.jsonl");
    writeFileSync(
      file,
      line({ type: "paused", reason: "r" }).repeat(200_000) + line({ type: "finished", step: 9, loss: 1, validationLoss: 2, seconds: 3 }),
    );
    const reader = new RunReader(folder);
    await reader.poll();
    const { status, step } = reader.state();
    assert.deepEqual([status, step, reader.events.length], ["finished", 9, 50_000]);
    assert.match(reader.warnings.join(), /^events\.jsonl: more than 50000 events/);
  });
  it("full of bad lines is told in few words", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "events.jsonl"), "null\n".repeat(100_000));
    const reader = await read(folder);
    assert.equal(reader.warnings.length, 101);
    assert.match(reader.warnings.at(-1)!, /^more than 100 places cannot be read/);
    appendFileSync(join(folder, "events.jsonl"), line({ type: "resumed" }));
    await reader.poll();
    assert.equal(reader.events.length, 1);
  });
});

describe("a long record of orders", () => {
  it("is looked through once: restarts forget what came after their checkpoint", () => {
    const when = (step: number) => ({ time: at, step });
    const events: RunEvent[] = [];
    for (let n = 0; n < 20_000; n++) {
      events.push(
        { type: "checkpoint", file: `f${n}`, loss: 1, ...when(n) },
        { type: "applied", order: `${n}`, set: { lr: n }, ...when(n) },
      );
      events.push({ type: "started", pid: 1, host: "h", processStart: "", resumedFrom: n % 2 === 0 ? `f${n}` : null, ...when(n) });
    }
    events.push({ type: "applied", order: "last", set: { lr: 1 }, ...when(1) });
    const steps = Float64Array.from({ length: 1000 }, (_, i) => i);
    const begin = performance.now();
    assert.deepEqual(
      history(events).flatMap((event) => (event.type === "applied" ? [event.order] : [])),
      ["last"],
    );
    const applied = events.filter(({ type }) => type !== "started");
    const markers = markersOf(0, applied, { steps, values: steps, times: steps });
    assert.equal(markers.length, 2000, "as many as anyone tells apart");
    assert.equal(markers[0]!.label, "18002 orders up to here");
    assert.ok(performance.now() - begin < 1000, `${performance.now() - begin} ms`);
  });
});
