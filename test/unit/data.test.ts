/** Data: what is found, in which order it is drawn, and what is wrong with it. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { RunFile, RunSpec } from "../../extension/protocol/runFile";
import { resolveSpec } from "../../extension/runs/spec";
import { TrainingBatches, validationBatches } from "../../extension/trainer/batches";
import { openData, type Tokens } from "../../extension/trainer/data";
import { permuted, uniform } from "../../extension/trainer/random";
import { scheduleFactor } from "../../extension/trainer/schedule";
import { makeTokenizer } from "../../extension/trainer/tokenizer";
import { description } from "./fakeAddon";
import { temporaryFolder } from "./folders";

function makeSpec(folder: string, data: RunFile["data"], rest: Partial<RunFile> = {}): RunSpec {
  const json = { model: { layers: 1, width: 8, heads: 2, context: 4 }, batch: { size: 3 }, data, ...rest };
  const resolved = resolveSpec(json, description, { file: join(folder, "x.muonscope.json") });
  assert.ok("spec" in resolved, JSON.stringify(resolved));
  return resolved.spec;
}
function write(folder: string, files: Record<string, string | Uint8Array>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}
const all = (tokens: Tokens): number[] => {
  const into = new Int32Array(tokens.length);
  tokens.read(0, tokens.length, into, 0);
  return [...into];
};
function shard(tokens: number[], { magic = 20240520, version = 1, count = tokens.length, wide = false } = {}): Uint8Array {
  const header = new Int32Array(256);
  header.set([magic, version, count]);
  const body = wide ? Uint32Array.from(tokens) : Uint16Array.from(tokens);
  return Buffer.concat([new Uint8Array(header.buffer), new Uint8Array(body.buffer)]);
}
const rejects = async (
  t: TestContext,
  files: Record<string, string | Uint8Array>,
  data: RunFile["data"],
  message: RegExp,
): Promise<void> => {
  const folder = temporaryFolder(t);
  write(folder, files);
  await assert.rejects(openData(makeSpec(folder, data)), { name: "UserError", message });
};

describe("data from text", () => {
  it("is the files' bytes in the order of their names, the end held out", async (t) => {
    const folder = temporaryFolder(t);
    write(folder, { "b.txt": "klmnopqrst", "a.txt": "abcdefghij", "c.md": "no", "skip/d.txt": "nor this" });
    const data = await openData(makeSpec(folder, { files: ["**/*.txt"], exclude: ["skip/**"], validationFraction: 0.25 }));
    assert.deepEqual([data.files, data.vocabulary], [2, 256]);
    assert.equal(String.fromCharCode(...all(data.train)), "abcdefghijklmno");
    assert.equal(String.fromCharCode(...all(data.validation!)), "pqrst");
  });
  it("holds whole files out when told to, and leaves binary ones out with a word", async (t) => {
    const folder = temporaryFolder(t);
    write(folder, { "a.txt": "training text", "held.txt": "validation", "x.txt": Uint8Array.of(1, 0, 2) });
    const data = await openData(makeSpec(folder, { files: ["*.txt"], validationFiles: ["held.txt"] }));
    assert.equal(String.fromCharCode(...all(data.train)), "training text");
    assert.equal(String.fromCharCode(...all(data.validation!)), "validation");
    assert.deepEqual(data.notices, ["1 of 2 files are binary and were left out."]);
  });
  it("may have no validation", async (t) => {
    const folder = temporaryFolder(t);
    write(folder, { "a.txt": "training text" });
    const data = await openData(makeSpec(folder, { files: ["*.txt"], validationFraction: 0 }));
    assert.equal(data.validation, undefined);
    assert.equal(data.train.length, 13);
  });
  it("a glob that matches nothing is said", (t) =>
    rejects(
      t,
      { "a.txt": "x" },
      { files: ["*.text"], exclude: ["b"] },
      /data\.files: expected files to train on, nothing matches .*\/\*\.text \(without .*\/b\)/,
    ));
  it("a text shorter than a context is said", (t) =>
    rejects(t, { "a.txt": "abcd" }, { files: ["a.txt"], validationFraction: 0 }, /training data has 4 tokens; at least 5 are needed/));
  it("a held-out end shorter than a context is said", (t) =>
    rejects(t, { "a.txt": "abcdefghijkl" }, { files: ["a.txt"] }, /validation data has 2 tokens; at least 5 are needed/));
  it("nothing but binary files is said", (t) =>
    rejects(t, { "a.txt": new Uint8Array(9) }, { files: ["a.txt"] }, /matches 1 files, none of them text/));
  it("holding everything out is said", (t) =>
    rejects(
      t,
      { "a.txt": "abcdefghijkl" },
      { files: ["a.txt"], validationFiles: ["*"] },
      /only files that data\.validationFiles holds out \(1\)/,
    ));
});

describe("token shards", () => {
  it("of llm.c are read across files", async (t) => {
    const folder = temporaryFolder(t);
    write(folder, { "t_1.bin": shard([1, 2, 3, 50256]), "t_2.bin": shard([5, 6, 7]), "v.bin": shard([9, 9, 9, 9, 9]) });
    const data = await openData(makeSpec(folder, { files: ["t_*.bin"], validationFiles: ["v.bin"] }));
    assert.deepEqual([all(data.train), data.vocabulary, data.files], [[1, 2, 3, 50256, 5, 6, 7], 50257, 3]);
    const some = new Int32Array(4);
    data.train.read(2, 3, some, 1);
    assert.deepEqual([...some], [0, 3, 50256, 5]);
  });
  it("of Llama 3 have 32 bits", async (t) => {
    const folder = temporaryFolder(t);
    write(folder, { "t.bin": shard([1, 128000, 3, 4, 5], { magic: 20240801, version: 7, wide: true }) });
    const data = await openData(makeSpec(folder, { files: ["t.bin"], validationFraction: 0 }));
    assert.deepEqual([all(data.train), data.vocabulary], [[1, 128000, 3, 4, 5], 128256]);
  });
  const bin = { files: ["*.bin"] };
  it("a wrong magic is said", (t) =>
    rejects(t, { "a.bin": shard([1], { magic: 7 }) }, bin, /a\.bin: expected a token shard \(magic 20240520 or 20240801\), got magic 7/));
  it("a wrong version is said", (t) =>
    rejects(t, { "a.bin": shard([1], { version: 2 }) }, bin, /expected version 1 of magic 20240520, got 2/));
  it("a wrong length is said", (t) =>
    rejects(t, { "a.bin": shard([1, 2], { count: 3 }) }, bin, /3 tokens of 2 bytes make 1030 bytes, the file has 1028/));
  it("a file that is no shard is said", (t) =>
    rejects(t, { "a.bin": "short" }, bin, /expected a token shard with a header of 1024 bytes, the file has 5/));
  it("shards and text together are refused", (t) =>
    rejects(
      t,
      { "a.bin": shard([1]), "b.txt": "text" },
      { files: ["*.bin", "*.txt"] },
      /1 token shards \(\.bin\) and 1 text files, such as .*b\.txt/,
    ));
  it("two vocabularies are refused", (t) =>
    rejects(
      t,
      { "a.bin": shard([1]), "b.bin": shard([1], { magic: 20240801, version: 7, wide: true }) },
      bin,
      /a\.bin has a vocabulary of 50257, .*b\.bin of 128256/,
    ));
});

describe("GPT-2's tokenizer", () => {
  it("gives OpenAI's ids, each document behind an end-of-text", async () => {
    const tokenizer = await makeTokenizer("gpt2");
    // tiktoken: encoding_for_model("gpt2").encode("Hello, world!")
    assert.deepEqual([...tokenizer.encode([Buffer.from("Hello, world!"), Buffer.from("")])], [50256, 15496, 11, 995, 0, 50256]);
    assert.equal(tokenizer.vocabulary, 50257);
  });
  it("takes a special token in a text for text", async () => {
    const ids = [...(await makeTokenizer("gpt2")).encode([Buffer.from("<|endoftext|>")])];
    assert.equal(ids.filter((id) => id === 50256).length, 1);
    assert.ok(ids.length > 2);
  });
});

describe("the order of the data", () => {
  const tokens: Tokens = {
    length: 1000,
    read: (from, count, into, at) =>
      into.set(
        Array.from({ length: count }, (_, i) => from + i),
        at,
      ),
  };
  const spec = makeSpec("/x", { files: ["a"] }, { batch: { size: 3, accumulation: 2 }, seed: 5 });
  it("depends on the seed and the position alone", () => {
    const first = new TrainingBatches(tokens, spec, 0);
    first.next();
    const second = first.next();
    assert.equal(first.position, 12);
    assert.deepEqual(new TrainingBatches(tokens, spec, 6).next(), second);
    assert.notDeepEqual(new TrainingBatches(tokens, { ...spec, seed: 6 }, 6).next(), second);
  });
  it("is made of whole contexts; an epoch has nearly every token once, and all epochs have all", () => {
    // 1,000 tokens: 999 inputs, 248 contexts of 4 an epoch; 31 steps of 8 contexts.
    const batches = new TrainingBatches(tokens, { ...spec, batch: { size: 8, accumulation: 1 } }, 0);
    const ever = new Set<number>();
    const orders = new Set<string>();
    for (let epoch = 0; epoch < 20; epoch++) {
      const seen = new Set<number>();
      const begins: number[] = [];
      for (let step = 0; step < 31; step++) {
        const ids = batches.next();
        assert.equal(ids.length, 8 * 5);
        ids.forEach((id, at) => {
          assert.equal(id, ids[at - (at % 5)]! + (at % 5));
          if (at % 5 === 0) begins.push(id);
          if (at % 5 === 4) return ever.add(id); // only predicted
          assert.ok(!seen.has(id), `${id} twice in epoch ${epoch}`);
          return seen.add(id);
        });
      }
      assert.equal(seen.size, 992);
      orders.add(begins.map((begin) => begin - Math.min(...begins)).join());
      seen.forEach((id) => ever.add(id));
    }
    assert.equal(orders.size, 20, "each epoch in an order of its own");
    assert.equal(ever.size, 1000);
  });
  it("of data that just fits is its one context", () => {
    const batches = new TrainingBatches({ ...tokens, length: 5 }, spec, 0);
    assert.deepEqual(
      [...batches.next()].filter((_, i) => i % 5 === 0),
      [0, 0, 0, 0, 0, 0],
    );
  });
  it("is a permutation whatever the number of contexts, and a random one", () => {
    for (const count of [1, 2, 3, 4, 5, 63, 64, 65, 1000]) {
      const order = Array.from({ length: count }, (_, i) => permuted(7, 3, i, count));
      assert.deepEqual(
        [...order].sort((a, b) => a - b),
        Array.from({ length: count }, (_, i) => i),
      );
    }
    // Spearman's correlation of place and value, in standard errors (1/√999): beyond 4 once in 16,000.
    for (const seed of [0, 1, 2, 3]) {
      const mean = 999 / 2;
      let sum = 0;
      for (let i = 0; i < 1000; i++) sum += (i - mean) * (permuted(seed, 0, i, 1000) - mean);
      const correlation = sum / ((1000 * (1000 ** 2 - 1)) / 12);
      assert.ok(Math.abs(correlation) * Math.sqrt(999) < 4, `seed ${seed}: ${correlation}`);
    }
    const far = permuted(1, 0, 2 ** 40, 2 ** 41 + 3);
    assert.ok(Number.isInteger(far) && far >= 0 && far < 2 ** 41 + 3);
  });
  it("is even: a χ² test over 64 bins for several seeds", () => {
    for (const seed of [0, 1, 2, 0x7fffffff]) {
      const counts = new Float64Array(64);
      for (let i = 0; i < 64_000; i++) counts[Math.floor(uniform(seed, i) * 64)]!++;
      const chi = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
      assert.ok(chi > 30 && chi < 115, `seed ${seed}: χ² = ${chi}, expected 63 ± 11`);
    }
    assert.notEqual(uniform(1, 2 ** 32), uniform(1, 0));
  });
  it("of a validation is the same every time and spread over all of it", () => {
    const rows = [...validationBatches(tokens, { ...spec, validation: { every: 1, batches: 4 } })];
    assert.equal(rows.length, 4);
    const begins = rows.flatMap((ids) => [ids[0]!, ids[5]!, ids[10]!]);
    assert.deepEqual(begins, [0, 80, 164, 248, 332, 412, 496, 580, 664, 744, 828, 912]);
    // More than there are: each once. Fewer than a batch: repeated.
    assert.equal([...validationBatches(tokens, { ...spec, validation: { every: 1, batches: 1e6 } })].length, 83);
    assert.deepEqual(
      [...[...validationBatches({ ...tokens, length: 9 }, spec)][0]!].filter((_, i) => i % 5 === 0),
      [0, 0, 4],
    );
  });
});

describe("the schedule", () => {
  const factors = (schedule: RunSpec["schedule"], steps = 10): number[] =>
    Array.from({ length: steps }, (_, i) => Math.round(1000 * scheduleFactor(i + 1, { steps, schedule })) / 1000);
  it("warms up, stays, and cools down", () => {
    assert.deepEqual(factors({ warmup: 4, cooldown: 0.4, shape: "linear" }), [0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25]);
    assert.deepEqual(factors({ warmup: 0, cooldown: 0.4, shape: "cosine" }), [1, 1, 1, 1, 1, 1, 1, 0.854, 0.5, 0.146]);
    assert.deepEqual(factors({ warmup: 2, cooldown: 0.4, shape: "constant" }), [0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });
  it("never reaches zero before the end, even where warm-up and cool-down overlap", () => {
    assert.ok(factors({ warmup: 50, cooldown: 1, shape: "linear" }).every((factor) => factor > 0));
  });
});
