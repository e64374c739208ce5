/** What is generated from the engine's description is committed, and not stale. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { generatedFiles } from "../../scripts/generated";

describe("generated files", () => {
  for (const [file, content] of generatedFiles())
    it(`${file} is what the engine says today`, () => {
      assert.equal(readFileSync(file, "utf8"), content, `${file} is stale: run \`npm run generate\` and commit it`);
    });
});
