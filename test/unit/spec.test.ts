/** Run files: defaults, presets, and a clear sentence for everything that is wrong. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makeSchema } from "../../extension/runs/schema";
import { SETTINGS } from "../../extension/runs/settings";
import type { RunSpec } from "../../extension/protocol/runFile";
import { completeSpec, resolveSpec } from "../../extension/runs/spec";
import { description } from "./fakeAddon";

const file = "/home/u/(work)/tiny.muonscope.json";
const data = { files: ["a.txt"] };
const resolve = (json: unknown) => resolveSpec(json, description, { file });
const problems = (json: unknown): string[] => {
  const resolved = resolve(json);
  return "problems" in resolved ? resolved.problems : [];
};

describe("a run file", () => {
  it("needs nothing but data", () => {
    const resolved = resolve({ $schema: "x", data });
    assert.ok("spec" in resolved);
    const { spec } = resolved;
    assert.equal(spec.name, "tiny");
    assert.equal(spec.preset, "normuon");
    assert.deepEqual(spec.optimizer, description.optimizers[0]!.defaults);
    assert.deepEqual(spec.auxiliary, { lr: 0.01, weightDecay: 0.01 });
    assert.deepEqual(spec.diagnostics.channels, { condition_number: ["update"], neuron_norm: ["update"] });
    assert.deepEqual(Object.keys(spec.model), ["layers", "width", "heads", "context", "zeroProjections", "recompute"]);
    assert.deepEqual([spec.backend, spec.device, spec.precision, spec.model.recompute], ["auto", 0, "auto", false]);
  });
  it("may say what it is for, in words", () => {
    assert.ok("spec" in resolve({ description: "a first look", data }));
    assert.deepEqual(problems({ description: 3, data }), ["description: expected text, received 3"]);
  });
  it("says what a run of an older version leaves out", () => {
    const resolved = resolve({ data, model: { layers: 2 }, optimizer: { clip: 3 } });
    assert.ok("spec" in resolved);
    const { device: _device, precision: _precision, model, ...rest } = resolved.spec;
    const { recompute: _recompute, ...olderModel } = model;
    const older = { ...rest, model: olderModel } as RunSpec;
    assert.deepEqual(completeSpec(older), resolved.spec);
    assert.deepEqual(completeSpec(resolved.spec), resolved.spec);
  });
  it("has globs relative to it, whatever its folder is called", () => {
    const resolved = resolve({ data: { files: ["**/*.txt", "../up/./*.md", "../../x", "/abs/*.txt"], exclude: ["./b"] } });
    assert.ok("spec" in resolved);
    assert.deepEqual(resolved.spec.data.files, ["/home/u/\\(work\\)/**/*.txt", "/home/u/up/./*.md", "/home/x", "/abs/*.txt"]);
    assert.deepEqual(resolved.spec.data.exclude, ["/home/u/\\(work\\)/b"]);
  });
  it("may name several devices, each with a rank, and stays as it was written", () => {
    for (const [device, ranks] of [
      [3, 1],
      [[3], 1],
      [[1, 0], 2],
      [[0, 1023], 3],
    ] as const) {
      const resolved = resolve({ data, device, sharding: { ranks } });
      assert.ok("spec" in resolved, JSON.stringify(resolved));
      assert.deepEqual(resolved.spec.device, device);
    }
  });
  it("merges a preset and what differs from it", () => {
    const resolved = resolve({ data, optimizer: { preset: "adamw", lr: 0.5, clip: 2 }, auxiliary: { lr: 0.25 } });
    assert.ok("spec" in resolved);
    assert.deepEqual(resolved.spec.optimizer, { lr: 0.5, weightDecay: 0.1 });
    assert.deepEqual([resolved.spec.clip, resolved.spec.auxiliary["lr"]], [2, 0.25]);
  });

  const wrong: [string, unknown, string[]][] = [
    ["that is a list", [], ["expected a JSON object, received a list"]],
    ["without data", {}, ["data.files: is required: which files to train on, as a list of globs"]],
    ["with no glob", { data: { files: [] } }, ["data.files: is required: which files to train on, as a list of globs"]],
    ["with a wrong type", { data, steps: "many" }, ['steps: expected an integer from 1 to 1000000000, received "many"']],
    ["with null", { data, threads: null }, ["threads: expected an integer from 0 to 1024, received null"]],
    ...(
      [
        [-1, "-1"],
        ["0,1", '"0,1"'],
        [[], "[]"],
        [[0, 1024], "[0,1024]"],
        [[0, "1"], '[0,"1"]'],
        [[1, 0, 1], "[1,0,1]"],
      ] as const
    ).map(([device, received]): [string, unknown, string[]] => [
      `with a device that cannot be, ${received},`,
      { data, device, sharding: { ranks: 8 } },
      [`device: expected an integer from 0 to 1023 or a list of different ones, received ${received}`],
    ]),
    [
      "with more devices than ranks",
      { data, device: [0, 1, 2], sharding: { ranks: 2 } },
      [
        "device: expected at most one for each rank, received 3 with sharding.ranks 2; " +
          "raise it to at least 3, for a device without a rank would do nothing",
      ],
    ],
    [
      "with a precision that cannot be",
      { data, precision: "fp16" },
      ['precision: expected "auto" or "fp32" or "tf32" or "bf16", received "fp16"'],
    ],
    ["with recomputation that is no switch", { data, model: { recompute: 1 } }, ["model.recompute: expected true or false, received 1"]],
    ["with a fraction of a layer", { data, model: { layers: 1.5 } }, ["model.layers: expected an integer from 1 to 1000, received 1.5"]],
    ["with a value out of range", { data, optimizer: { lr: -1 } }, ["optimizer.lr: expected a number of at least 0, received -1"]],
    ["with a section that is none", { data, model: 5 }, ["model: expected an object, received 5"]],
    ["with an unknown section", { data, modle: {} }, ['unknown setting "modle"; did you mean "model"?']],
    ["with an unknown setting", { data, model: { witdh: 64 } }, ['unknown setting "model.witdh"; did you mean "model.width"?']],
    ["with a setting in the wrong place", { data, context: 64 }, ['unknown setting "context"; did you mean "model.context"?']],
    [
      "with an unknown knob",
      { data, optimizer: { normalise: true } },
      ['unknown setting "optimizer.normalise"; did you mean "optimizer.normalize"?'],
    ],
    [
      "with an unknown preset",
      { data, optimizer: { preset: "normoun" } },
      ['optimizer.preset: unknown preset "normoun"; did you mean "normuon"?'],
    ],
    [
      "with a knob of another optimizer",
      { data, optimizer: { preset: "adamw", normalize: true } },
      ["optimizer.normalize: does not apply to adamw; leave it out or choose another preset"],
    ],
    [
      "with a wrong choice",
      { data, optimizer: { scale: "papers" } },
      ['optimizer.scale: expected "paper" or "preserve", received "papers"'],
    ],
    [
      "with an unknown diagnostic",
      { data, diagnostics: { channels: { condition: ["update"] } } },
      ['diagnostics.channels.condition: unknown diagnostic "condition"; did you mean "condition_number"?'],
    ],
    [
      "with an unknown tap",
      { data, diagnostics: { channels: { neuron_norm: ["momentum"] } } },
      ['diagnostics.channels.neuron_norm: unknown tap "momentum"; did you mean "update"?'],
    ],
    [
      "with heads that do not fit",
      { data, model: { width: 100, heads: 8 } },
      ["model.width: expected a multiple of 16 (twice the heads), received 100; 96 would do"],
    ],
    [
      "with several faults",
      { data, steps: 0, seed: -1 },
      ["seed: expected an integer from 0 to 2147483647, received -1", "steps: expected an integer from 1 to 1000000000, received 0"],
    ],
  ];
  for (const [what, json, expected] of wrong) it(`${what} is told what is wrong`, () => assert.deepEqual(problems(json), expected));
});

describe("the schema of run files", () => {
  const schema = makeSchema(description) as { properties: Record<string, { properties?: Record<string, Record<string, unknown>> }> };
  it("has every setting and every knob, and nothing else", () => {
    for (const { path } of SETTINGS) {
      const [section, name] = path.split(".") as [string, string | undefined];
      assert.ok(name === undefined ? schema.properties[section] : schema.properties[section]?.properties?.[name], path);
    }
    assert.deepEqual(Object.keys(schema.properties["optimizer"]!.properties!), [
      "preset",
      "clip",
      "lr",
      "weightDecay",
      "normalize",
      "scale",
      "axis",
    ]);
    assert.deepEqual(schema.properties["optimizer"]!.properties!["scale"]!["enum"], ["paper", "preserve"]);
    assert.deepEqual(Object.keys(schema.properties["diagnostics"]!.properties!["channels"]!["properties"] as object), [
      "condition_number",
      "neuron_norm",
    ]);
  });
  it("takes one device or a list of different ones", () => {
    const one = { type: "integer", minimum: 0, maximum: 1023 };
    const { anyOf } = schema.properties["device"] as { anyOf?: unknown };
    assert.deepEqual(anyOf, [one, { type: "array", items: one, minItems: 1, uniqueItems: true }]);
  });
  it("has defaults that a run file may state", () => {
    const json: Record<string, Record<string, unknown> | unknown> = { data };
    for (const { path, default: value } of SETTINGS) {
      const [section, name] = path.split(".") as [string, string | undefined];
      if (value === undefined) continue;
      if (name === undefined) json[section] = value;
      else json[section] = { ...(json[section] as object | undefined), [name]: value };
    }
    assert.deepEqual(problems(json), []);
  });
});
