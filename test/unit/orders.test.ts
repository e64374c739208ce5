/** Orders: what is understood, and what is refused with which reason. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KnobValues } from "../../extension/protocol/description";
import { readOrder, valuesBefore, type Steered } from "../../extension/trainer/orders";
import { description } from "./fakeAddon";

const knobs: Record<string, KnobValues> = {
  "blocks.0.mlp.up": { lr: 0.01, normalize: true, scale: "paper" },
  "blocks.1.mlp.up": { lr: 0.02, normalize: true, scale: "paper" },
  head: { lr: 0.003 },
};
const steered: Steered = {
  description,
  parameters: Object.keys(knobs).map((name) => ({ name, rows: 2, cols: 2, group: name === "head" ? "auxiliary" : "matrix" })),
  values: (name) => knobs[name]!,
};
const read = (order: unknown) => readOrder(typeof order === "string" ? order : JSON.stringify(order), steered);

describe("an order", () => {
  it("does something", () => {
    for (const deed of ["pause", "resume", "step", "checkpoint", "measure", "stop"])
      assert.deepEqual(read({ id: "1", do: deed }), { id: "1", do: deed });
  });
  it("sets knobs of both groups and the trainer's own", () => {
    const set = { normalize: false, "auxiliary.lr": 0.5, lrFactor: 2 };
    assert.deepEqual(read({ id: "1", set }), {
      id: "1",
      set,
      scope: "*",
      groups: { matrix: { normalize: false }, auxiliary: { lr: 0.5 } },
      lrFactor: 2,
    });
  });
  it("tells the values before it, one for all or one for each", () => {
    const plan = read({ id: "1", set: { normalize: false, lr: 0.5, "auxiliary.lr": 1, lrFactor: 3 } });
    assert.ok("scope" in plan);
    assert.deepEqual(valuesBefore(plan, steered, 1), {
      normalize: true,
      lr: { "blocks.0.mlp.up": 0.01, "blocks.1.mlp.up": 0.02 },
      "auxiliary.lr": 0.003,
      lrFactor: 1,
    });
    const scoped = read({ id: "1", set: { lr: 0.5 }, scope: "blocks.1.*" });
    assert.ok("scope" in scoped);
    assert.deepEqual(valuesBefore(scoped, steered, 1), { lr: 0.02 });
  });

  const refused: [string, unknown, string | null, RegExp][] = [
    ["that is no JSON", "pause!", null, /expected a JSON object, received "pause!"/],
    ["that is a list", [], null, /expected a JSON object, received \[\]/],
    ["without an id", { do: "pause" }, null, /id: expected a text, received undefined/],
    ["of no known kind", { id: "1" }, "1", /expected either "do" or "set"/],
    ["of both kinds", { id: "1", do: "pause", set: { lr: 1 } }, "1", /expected either "do" or "set"/],
    ["that is unknown", { id: "1", do: "pauze" }, "1", /unknown order "pauze"; did you mean "pause"\?/],
    ["with an unknown part", { id: "1", do: "pause", scop: "*" }, "1", /unknown part of an order "scop"; did you mean "scope"\?/],
    ["with nothing to set", { id: "1", set: {} }, "1", /set: expected an object of knobs, received \{\}/],
    ["with an unknown knob", { id: "1", set: { normalise: true } }, "1", /unknown knob "normalise"; did you mean "normalize"\?/],
    [
      "with one good and one unknown knob",
      { id: "1", set: { lr: 1, "auxiliary.lrr": 1 } },
      "1",
      /unknown knob "auxiliary.lrr"; did you mean "auxiliary.lr"\?/,
    ],
    [
      "with a scope longer than any",
      { id: "1", set: { lr: 1 }, scope: "*a".repeat(501) },
      "1",
      /scope: expected at most 1000 characters, received 1002/,
    ],
    ["with a knob that is not live", { id: "1", set: { axis: "longer" } }, "1", /axis: cannot change during a run/],
    ["with a wrong type", { id: "1", set: { normalize: "off" } }, "1", /normalize: expected true or false, received "off"/],
    ["with a value out of range", { id: "1", set: { lr: -1 } }, "1", /lr: expected a number of at least 0, received -1/],
    [
      "with infinity, as JSON writes it",
      { id: "1", set: { lrFactor: Infinity } },
      "1",
      /lrFactor: expected a number from 0 to 1000, received null/,
    ],
    ["for one matrix of what is for all", { id: "1", set: { lrFactor: 1 }, scope: "blocks.*" }, "1", /lrFactor: is for the whole run/],
    [
      "with a scope that matches nothing",
      { id: "1", set: { lr: 1 }, scope: "block.*" },
      "1",
      /scope: "block\.\*" matches no parameter of lr; there are blocks\.0\.mlp\.up, blocks\.1\.mlp\.up/,
    ],
    ["with a scope of the other group", { id: "1", set: { lr: 1 }, scope: "head" }, "1", /matches no parameter of lr/],
    [
      "with a knob that the optimizer has not",
      { id: "1", set: { weightDecay: 1 } },
      "1",
      /weightDecay: does not apply to the optimizer of blocks\.0\.mlp\.up/,
    ],
  ];
  for (const [what, order, id, reason] of refused) {
    it(`${what} is refused`, () => {
      const reading = read(order);
      assert.ok("refused" in reading);
      assert.equal(reading.id, id);
      assert.match(reading.refused, reason);
    });
  }
  it("a dot in a scope is a dot", () => {
    assert.ok("refused" in read({ id: "1", set: { lr: 1 }, scope: "blocks?0*" }));
    assert.ok("refused" in read({ id: "1", set: { lr: 1 }, scope: "blocks.0.mlp_up".replace("_", "x") }));
  });
});
