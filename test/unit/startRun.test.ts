/** Choosing what to start: run files with what they say that they are for. */
import assert from "node:assert/strict";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { App } from "../../extension/ui/app";
import { startRun } from "../../extension/ui/startRun";
import { fake } from "./fakeVscode";
import { temporaryFolder } from "./folders";

describe("the choice of what to start", () => {
  it("says of each run file what it is for; one that cannot be read is still there", async (t) => {
    fake.reset();
    const folder = temporaryFolder(t);
    const write = (name: string, content: string): string => {
      const file = join(folder, `${name}.muonscope.json`);
      writeFileSync(file, content);
      return file;
    };
    const linked = join(folder, "linked.muonscope.json");
    symlinkSync("/dev/zero", linked);
    fake.folders = [folder];
    fake.files = [
      write("told", JSON.stringify({ description: "A first look [x](command:y)", data: { files: ["*"] } })),
      write("silent", JSON.stringify({ data: { files: ["*"] } })),
      write("number", JSON.stringify({ description: 5 })),
      write("torn", '{"description": "half'),
      write("null", "null"),
      linked,
    ];
    const app = { devices: { reports: () => Promise.resolve([]) } } as unknown as App;
    assert.equal(await startRun(app), undefined, "nothing was chosen");
    const said = fake.said.filter(({ how }) => how === "pick").map(({ text }) => text);
    for (const file of fake.files) assert.ok(said.includes(file), file);
    const at = said.findIndex((text) => text.startsWith("A first look"));
    assert.equal(said[at - 1], fake.files[0]);
    assert.doesNotMatch(said[at]!, /\]\(/, "and it is plain");
    assert.equal(said.filter((text) => /half|^5$/.test(text)).length, 0);
  });
});
