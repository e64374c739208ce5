/** The run files in examples/: each says first what it does, is called what it is, and can be started. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { describe, it } from "node:test";
import type { EngineDescription } from "../../extension/protocol/description";
import { resolveSpec, RUN_FILE_SUFFIX } from "../../extension/runs/spec";

const engine = JSON.parse(readFileSync("media/description.json", "utf8")) as EngineDescription;
const files = readdirSync("examples")
  .filter((file) => file.endsWith(RUN_FILE_SUFFIX))
  .map((file) => resolve(join("examples", file)));

describe("an example", () => {
  it("is there", () => assert.ok(files.length >= 4));
  for (const file of files)
    it(`says what it does: ${basename(file)}`, () => {
      const json = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
      assert.equal(Object.keys(json)[0], "description", "its first line");
      const resolved = resolveSpec(json, engine, { file });
      assert.ok("spec" in resolved, JSON.stringify(resolved));
      assert.equal(resolved.spec.name, basename(file, RUN_FILE_SUFFIX));
      assert.equal("description" in resolved.spec, false, "a run is the same without it");
    });
});
