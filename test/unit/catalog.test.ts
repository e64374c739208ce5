/** What there is to draw in a run, and how numbers are written. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatAge, formatCompact, formatDuration, formatNumber, formatTick } from "../../extension/protocol/format";
import type { RunJson } from "../../extension/protocol/runFolder";
import * as catalog from "../../extension/ui/catalog";
import { Choices, choicesOf as choose } from "../../extension/ui/choices";
import { until } from "./folders";

function all<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}
const catalogOf = (...given: Parameters<typeof catalog.catalogOf>) => all(catalog.catalogOf(...given));
const choicesOf = (...given: Parameters<typeof choose>) => all(choose(...given));

const tags = (scalar: string[], histogram: string[] = []) => ({
  tags: (kind?: string) => (kind === "scalar" ? scalar : kind === "histogram" ? histogram : []),
});
const diagnostic = (id: string, shape: "scalar" | "histogram") => ({
  id,
  title: `Title of ${id}`,
  shape,
  unit: "u",
  taps: ["gradient", "momentum", "update"],
  defaultTaps: [],
  logarithmic: true,
  meaning: "",
  source: "",
});
const described = {
  diagnostics: [diagnostic("condition_number", "scalar"), diagnostic("neuron_norm", "histogram"), diagnostic("never_measured", "scalar")],
  parameters: [{ name: "blocks.0.up" }, { name: "blocks.0.down" }],
} as unknown as RunJson;

describe("the catalog", () => {
  it("holds the channels that were measured, taps and matrices in the engine's order", () => {
    const scalars = ["loss/train", "shard/bytes/rank0", "condition_number/update/blocks.0.down", "condition_number/momentum/blocks.0.up"];
    const catalog = catalogOf([{ run: described, ...tags(scalars, ["neuron_norm/update/blocks.0.up"]) }]);
    assert.deepEqual(catalog.plain, ["loss/train", "shard/bytes/rank0"]);
    assert.deepEqual(catalog.tensors, ["blocks.0.up", "blocks.0.down"]);
    assert.deepEqual(
      catalog.channels.map(({ id, title, shape, taps }) => [id, title, shape, taps]),
      [
        ["condition_number", "Title of condition_number", "scalar", ["momentum", "update"]],
        ["neuron_norm", "Title of neuron_norm", "histogram", ["update"]],
      ],
    );
  });
  it("shows a channel that nobody described, in a log of another tool", () => {
    const catalog = catalogOf([{ run: undefined, ...tags(["Loss/train", "sharpness/weight/layer.10", "sharpness/weight/layer.2"]) }]);
    assert.deepEqual(catalog.plain, ["Loss/train"]);
    assert.deepEqual(catalog.tensors, ["layer.2", "layer.10"]);
    assert.deepEqual(
      catalog.channels.map(({ id, shape }) => [id, shape]),
      [["sharpness", "scalar"]],
    );
  });
  it("is that of all runs together", () => {
    const catalog = catalogOf([
      { run: undefined, ...tags(["a/x/w"]) },
      { run: undefined, ...tags(["a/y/v"]) },
    ]);
    assert.deepEqual(
      [catalog.channels[0]?.taps, catalog.tensors],
      [
        ["x", "y"],
        ["v", "w"],
      ],
    );
  });
});

describe("numbers for people", () => {
  it("are short and say what is infinite or missing", () => {
    const cases: [unknown, string][] = [
      [formatNumber(1.23456), "1.235"],
      [formatNumber(1234.56), "1235"],
      [formatNumber(-0.00012), "−1.2e−4"],
      [formatNumber(1_234_567), "1.23e6"],
      [formatNumber(Infinity), "∞"],
      [formatNumber(NaN), "NaN"],
      [formatNumber(null), "–"],
      [formatTick(0.005), "0.005"],
      [formatTick(100), "100"],
      [formatCompact(41_234), "41.2k"],
      [formatDuration(3_725), "1:02:05"],
      [formatDuration(65), "1:05"],
      [formatDuration(null), "–"],
      [formatAge(7_300), "2 h ago"],
    ];
    assert.deepEqual(
      cases.map(([text]) => text),
      cases.map(([, expected]) => expected),
    );
  });
});

describe("the choices of a page", () => {
  const none: string[] = [];
  const reader = (scalars: string[], run?: RunJson) => ({ run, tags: (kind?: string) => (kind === "scalar" ? scalars : none) });
  const many = (length: number, name: (i: number) => string): string[] => Array.from({ length }, (_, i) => name(i));

  it("are all there is of a run, however large its model", () => {
    const layers = many(600, (i) => `condition_number/update/blocks.${i}.w`);
    const { catalog, leftOut } = choicesOf([reader(["loss/train", ...layers])]);
    assert.deepEqual([catalog, leftOut], [catalogOf([reader(["loss/train", ...layers])]), ""]);
  });
  it("are the first of each when there are more than a page can offer, which is said", () => {
    const tags = [...many(50_000, (i) => `c${i}/tap/m${i}`), ...many(10_000, (i) => `s${i}`)];
    const { catalog, leftOut } = choicesOf([reader(tags)]);
    assert.deepEqual([catalog.plain.length, catalog.channels.length, catalog.tensors.length], [1000, 200, 1000]);
    assert.equal(leftOut, "1,000 of 10,000 scalars, 200 of 50,000 channels, 1,000 of 50,000 matrices");
    assert.ok(JSON.stringify(catalog).length < 100_000);
    const taps = choicesOf([reader(many(5000, (i) => `c/t${i}/m`))]).catalog.channels[0]!.taps;
    assert.equal(taps.length, 50);
  });
  it("are made anew when there are other tags, and in slices where they are very many", async () => {
    let told = 0;
    const choices = new Choices(() => told++);
    const few = reader(["loss/train"]);
    const first = choices.of([few]);
    assert.deepEqual(first.catalog.plain, ["loss/train"]);
    assert.equal(choices.of([few]), first);
    const tags = many(50_000, (i) => `c${i}/tap/m${i}`);
    const lots = reader(tags);
    const begin = performance.now();
    assert.equal(choices.of([lots]), first, "they are not there at once");
    assert.ok(performance.now() - begin < 50, `it took ${performance.now() - begin} ms`);
    await until("the others are there", () => told > 0);
    assert.deepEqual([choices.of([lots]), told], [choicesOf([lots]), 1]);
  });
  it("have names that can be asked for", () => {
    const long = "n".repeat(1001);
    const { catalog, leftOut } = choicesOf([reader([long, `${long}/update/w`, `c/${long}/w`, `c/update/${long}`, "a"])]);
    assert.deepEqual(
      [catalog.plain, catalog.channels.map(({ id, taps }) => [id, taps]), catalog.tensors],
      [["a"], [["c", ["update"]]], ["w"]],
    );
    assert.equal(leftOut, "1 of 2 scalars, 1 of 2 channels, 1 of 2 matrices");
  });
});
