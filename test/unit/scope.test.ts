/** Scopes of orders: the same meaning everywhere, and no pattern that takes long. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inScope, MOST_SCOPE } from "../../extension/protocol/scope";

/** native/core/glob.h as it is defined, without a thought of how long it takes. */
function defined(pattern: string, name: string): boolean {
  if (pattern === "") return name === "";
  if (pattern[0] !== "*") return name !== "" && pattern[0] === name[0] && defined(pattern.slice(1), name.slice(1));
  return Array.from({ length: name.length + 1 }, (_, i) => i).some((i) => defined(pattern.slice(1), name.slice(i)));
}

const words = (alphabet: string, most: number): string[] => {
  const found = [""];
  for (let from = 0, length = 1; length <= most; length++) {
    const to = found.length;
    for (; from < to; from++) for (const letter of alphabet) found.push(found[from]! + letter);
  }
  return found;
};

describe("a scope", () => {
  it("means what its definition says, for every short pattern and name", () => {
    const names = words("ab.*", 4);
    for (const pattern of words("ab*", 5)) {
      const fit = names.filter((name) => inScope(pattern, name));
      assert.deepEqual(
        fit,
        names.filter((name) => defined(pattern, name)),
        pattern,
      );
    }
  });
  it("knows no special characters but the star", () => {
    assert.ok(inScope("blocks.3.*", "blocks.3.mlp.up"));
    assert.ok(!inScope("blocks.3.*", "blocksx3.mlp"));
    for (const text of [".+?^${}()|[]\\", "a\nb", "[a-z]", "ü"]) {
      assert.ok(inScope(text, text) && inScope("*", text) && inScope(`*${text}`, text), text);
    }
    assert.ok(!inScope("[a-z]", "b") && !inScope("A", "a") && !inScope("", "a") && inScope("", ""));
  });
  it("that a regular expression would never be done with takes no time", () => {
    const name = "a".repeat(200);
    const begin = performance.now();
    for (let n = 0; n < 100; n++) {
      assert.ok(!inScope(`${"*a".repeat(20)}*b`, name));
      assert.ok(!inScope("*".repeat(MOST_SCOPE - 1) + "b", name));
      assert.ok(!inScope(`*${"a".repeat(100)}b`, name));
    }
    assert.ok(performance.now() - begin < 1000, `${performance.now() - begin} ms`);
  });
  it("of more characters than a pattern has is refused", () => {
    assert.throws(() => inScope("*".repeat(MOST_SCOPE + 1), "a"), /at most 1000 characters, received 1001/);
  });
});
