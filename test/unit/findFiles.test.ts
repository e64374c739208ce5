/** Globs over folders with links in them: every file once, no walk without an end, and a word for what was left out. */
import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { resolveSpec } from "../../extension/runs/spec";
import { openData } from "../../extension/trainer/data";
import { findFiles } from "../../extension/trainer/findFiles";
import { description } from "./fakeAddon";
import { temporaryFolder } from "./folders";

/** Names that end in "/" are folders; `a -> b` is a link. */
function place(t: TestContext, names: string[]): string {
  const folder = temporaryFolder(t);
  for (const name of names) {
    const [path, target] = name.split(" -> ") as [string, string | undefined];
    if (target !== undefined) symlinkSync(target, join(folder, path));
    else if (path.endsWith("/")) mkdirSync(join(folder, path), { recursive: true });
    else writeFileSync(join(folder, path), `the text of ${path}`);
  }
  return folder;
}

async function find(folder: string, patterns: string[], ignore: string[] = []): Promise<{ files: string[]; notices: string[] }> {
  const absolute = (globs: string[]): string[] => globs.map((glob) => `${folder}/${glob}`);
  const { files, notices } = await findFiles("data.files", absolute(patterns), absolute(ignore));
  const inside = (text: string): string => text.replaceAll(`${folder}/`, "");
  return { files: files.map(({ path }) => inside(path)), notices: notices.map(inside) };
}

describe("globs", { skip: process.platform === "win32" && "links need a right on Windows" }, () => {
  it("come to an end where links lead upwards, and say nothing: nothing was left out", { timeout: 10_000 }, async (t) => {
    const folder = place(t, ["a.txt", "sub/", "sub/b.txt", "loop -> .", "up -> ..", "sub/loop -> ..", "self -> self"]);
    assert.deepEqual(await find(folder, ["**/*.txt"]), { files: ["a.txt", "sub/b.txt"], notices: [] });
  });

  it("do not descend into linked folders, and say which", async (t) => {
    const folder = place(t, ["data/", "real/", "real/a.txt", "data/wiki -> ../real", "data/b.txt"]);
    const said = "Links to folders are not followed: what is behind them was left out. Name them in data.files if it is meant: data/wiki.";
    assert.deepEqual(await find(folder, ["data/**/*.txt"]), { files: ["data/b.txt"], notices: [said] });
    assert.deepEqual(await find(folder, ["data/**/*.txt"], ["**/wiki/**"]), { files: ["data/b.txt"], notices: [] });
    assert.deepEqual(await find(folder, ["data/*.txt"]), { files: ["data/b.txt"], notices: [] }, "would not have been looked into");
    const both = await find(folder, ["data/**/*.txt", "data/wiki/*.txt"]);
    assert.deepEqual(both, { files: ["data/b.txt", "data/wiki/a.txt"], notices: [] }, "it was named");
  });

  it("take a file once, by whichever of its names comes first", async (t) => {
    const folder = place(t, ["b.txt", "a.txt -> b.txt", "c.txt -> a.txt", "sub/", "way -> sub", "sub/d.txt"]);
    assert.deepEqual(await find(folder, ["*.txt", "b.txt", "way/*.txt", "sub/*.txt"]), { files: ["a.txt", "sub/d.txt"], notices: [] });
  });

  it("say which links lead to no file", async (t) => {
    const folder = place(t, ["a.txt", "gone.txt -> nowhere", "zero.txt -> /dev/zero", "gone.md -> nowhere"]);
    const notices = ["Links that lead to no file were left out: gone.txt, zero.txt."];
    assert.deepEqual(await find(folder, ["*.txt"]), { files: ["a.txt"], notices });
  });

  it("that look at more than anyone means are refused", async (t) => {
    const folder = place(t, ["a.txt", "b.txt", "c/", "c/d.txt"]);
    await assert.rejects(findFiles("data.files", [`${folder}/**`], [], 3), {
      name: "UserError",
      message: /^data\.files: .* has more than 3 files and folders looked at\. Name a folder further down/,
    });
    assert.equal((await findFiles("data.files", [`${folder}/**`], [], 4)).files.length, 3);
  });

  it("of data do not train on what is held out under another name", async (t) => {
    const folder = place(t, ["a.txt", "held.txt", "other.txt -> held.txt", "data/", "data/more -> ..", "deep -> data"]);
    const data = { files: ["**/*.txt"], validationFiles: ["held.txt"] };
    const json = { model: { layers: 1, width: 8, heads: 2, context: 4 }, data };
    const resolved = resolveSpec(json, description, { file: join(folder, "x.muonscope.json") });
    assert.ok("spec" in resolved);
    const opened = await openData(resolved.spec);
    assert.deepEqual([opened.files, opened.train.length, opened.validation!.length], [2, 17, 20]);
    assert.match(opened.notices.join(), /Links to folders are not followed.*deep\.$/);
  });
});
