/** What a folder says reaches a user as text and as nothing else, whichever way it is said; and there is one way. */
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import glob from "fast-glob";
import { EVENTS_JSONL } from "../../extension/protocol/runFolder";
import { logEntry, plainBlock, plainLine } from "../../extension/ui/plainText";
import { ask, fail, inform, Log, openPanel, pick, pickSeveral, retitle, Status, treeItem, warn, working } from "../../extension/ui/say";
import { openEditor } from "./editor";
import { fake } from "./fakeVscode";
import { temporaryFolder } from "./folders";
import { ATTACKS, meaningIn } from "./hostileText";
import { begin } from "./runs";

/** The icon that the status bar shows is the extension's own; entries of the log know no links, and begin each on a line of its own. */
function meaningOf({ how, text }: { how: string; text: string }): string | null {
  if (how === "log") return /\n(?! {4})/.test(text) ? text : meaningIn(plainLine(text, Infinity).replace(/\n/g, ""));
  const found = meaningIn(how === "status" ? text.replace(/^\$\([\w~-]+\) /, "") : text);
  return found ?? (how !== "tooltip" && text.includes("\n") ? `a line break in ${JSON.stringify(text.slice(0, 200))}` : null);
}

const assertAllPlain = (): void => {
  const meant = fake.said.flatMap((said) => meaningOf(said) ?? []);
  assert.deepEqual(meant, [], "VS Code would see more than text");
  const long = fake.said.filter(({ how, text }) => text.length > (how === "log" ? 30_000 : how === "tooltip" ? 5000 : 1200));
  assert.deepEqual(
    long.map(({ how, text }) => [how, text.length]),
    [],
    "texts without end",
  );
};

describe("a plain text", () => {
  it("has no meaning for VS Code, whatever it was, on one line and on several", () => {
    for (const attack of ATTACKS) {
      assert.ok(meaningIn(attack) !== null || attack.length > 1e5, `no attack: ${attack}`);
      for (const plain of [plainLine(attack, 1000), plainBlock(attack, 1000)]) {
        assert.equal(meaningIn(plain.replaceAll("\n", " ")), null);
        assert.ok(plain.length <= 1100, String(plain.length));
      }
      assert.doesNotMatch(plainLine(attack, 1000), /\n/);
    }
  });
  it("still reads as it was meant", () => {
    assert.equal(plainLine("[Open](command:x) [0]: a[1][2] $(error)", 100), "[Open] (command:x) [0] : a[1] [2] $ (error)");
    assert.equal(plainLine("two\r\nlines\tand a tab", 100), "two lines and a tab");
    assert.equal(plainBlock("two\r\nlines\u2028and a third", 100), "two\nlines\nand a third");
    assert.equal(plainLine("a\u202eb\u0007c", 100), "a\ufffdb\ufffdc", "what nobody sees is shown to be there");
    for (const good of ["größe 8×8, λ = 0.1 (β₂)", "می‌خواهم", "👩‍👩‍👧", "a/b\\c <d> `e` *f* $5 [1] (2) {3}"])
      assert.equal(plainLine(good, 100), good);
    assert.equal(plainLine("12345", 5), "12345");
    assert.equal(plainLine("123456", 5), "1234…");
    assert.equal(plainLine("123🙂6", 5), "123\ufffd…", "no half of a character");
  });
  it("made plain again is the same", () => {
    for (const attack of ATTACKS) assert.equal(plainLine(plainLine(attack, 500), 1000), plainLine(attack, 500));
  });
  it("costs no more for being long", () => {
    const endless = Buffer.alloc(60e6, "[](").toString();
    const took = [1, 2, 3].map(() => {
      const start = performance.now();
      plainLine(endless, 1000);
      return performance.now() - start;
    });
    assert.ok(Math.min(...took) < 10, `${took.join()} ms`);
  });
  it("in the log, cannot pretend to be another entry", () => {
    assert.equal(logEntry("a\nb\r\nc\u2028d [e](f)", 100), "a\n    b\n    c\n    d [e](f)");
  });
});

describe("whatever is said", () => {
  const ways: [string, (text: string) => unknown][] = [
    ["a message", (text) => [inform(text), warn(text, "Show Output"), fail(text)]],
    ["a pick", (text) => pick([{ label: text, description: text, detail: text }], { title: text, placeHolder: text })],
    ["a pick of several", (text) => pickSeveral([{ label: text, description: text, detail: text }], { title: text, placeHolder: text })],
    ["a question", (text) => ask({ title: text, prompt: text, value: text, wrong: (input) => `${text}${input}` })],
    ["progress", (text) => working(text, () => Promise.resolve())],
    ["a tab", (text) => retitle(openPanel("a", text), `${text}!`)],
    ["the log", (text) => [new Log().info(text), new Log().warn(text), new Log().error(new Error(text)), new Log().error(text)]],
    [
      "the status bar",
      (text) =>
        new Status("a", "b").show({
          icon: "pass",
          text,
          tooltip: text,
          spoken: text,
          troubled: true,
          command: { command: "c", title: "" },
        }),
    ],
    [
      "a row",
      (text) => {
        const icon = { id: "pass" };
        const row = treeItem({ label: text, description: text, tooltip: text, spoken: text, icon, expandable: false });
        for (const each of [row.label, row.description, row.accessibilityInformation?.label])
          fake.said.push({ how: "row", text: String(each) });
        assert.equal(typeof row.tooltip, "string", "a string is shown as it stands: no Markdown");
        fake.said.push({ how: "tooltip", text: String(row.tooltip) });
      },
    ],
  ];
  for (const [what, say] of ways)
    it(`in ${what} is plain`, () => {
      fake.reset();
      for (const attack of ATTACKS) say(attack);
      assert.ok(fake.said.length >= ATTACKS.length);
      assertAllPlain();
    });
  it("keeps its buttons, and what was picked its fields", async () => {
    fake.reset();
    await warn("[x](command:y)", "Show Output");
    assert.deepEqual(
      fake.said.map(({ text }) => text),
      ["[x] (command:y)", "Show Output"],
    );
    fake.chosen = 1;
    const picked = await pick(
      ["$(a)", "$(b)"].map((label) => ({ label, own: label })),
      {},
    );
    assert.equal(picked?.own, "$(b)");
  });
});

describe("a hostile folder", { timeout: 60_000 }, () => {
  const [link, , image, icon, lines, turned] = ATTACKS as [string, string, string, string, string, string];

  /** A run that the trainer wrote, whose name and record hold attacks. */
  async function hostileRun(t: TestContext): Promise<{ workspace: string; run: string }> {
    const workspace = join(temporaryFolder(t), "![w](https:\\\\example.org\\w.png)");
    mkdirSync(join(workspace, "runs"), { recursive: true });
    const made = await begin(t, { steps: 12, name: `${link} ${icon}` });
    await made.done;
    const run = join(workspace, "runs", basename(made.folder));
    renameSync(made.folder, run);
    const event = (what: object): string => `${JSON.stringify({ time: new Date().toISOString(), step: 5, ...what })}\n`;
    const file = join(run, EVENTS_JSONL);
    appendFileSync(file, event({ type: "alert", severity: "error", message: `${image} ${link}` }));
    appendFileSync(file, event({ type: "alert", severity: "$(warning)", message: lines }));
    appendFileSync(file, event({ type: "applied", order: "1", set: { [icon]: link }, scope: image }));
    appendFileSync(file, event({ type: "applied", order: "2", do: `${turned}${link}` }));
    appendFileSync(file, event({ type: "failed", message: `${link} ${lines}` }));
    return { workspace, run };
  }

  it("is listed, looked at and refused in plain text only", async (t) => {
    fake.reset();
    const { workspace, run } = await hostileRun(t);
    fake.trusted = false;
    const tree = await openEditor(t, workspace);
    const rows = async (element?: unknown): Promise<number> => {
      const children = (await tree.getChildren(element)) as unknown[];
      for (const child of children) {
        const item = tree.getTreeItem(child) as Record<"label" | "description" | "tooltip", string>;
        assert.equal(typeof item.tooltip, "string", "no Markdown");
        fake.said.push({ how: "row", text: item.label }, { how: "row", text: item.description }, { how: "tooltip", text: item.tooltip });
        await rows(child);
      }
      return children.length;
    };
    assert.equal(await rows(), 1);
    // Opens its page, and makes it the run of the status bar.
    await vscodeCommand("openDashboard", run);
    await vscodeCommand("openTrainerLog", run);
    await vscodeCommand("compareRuns", run);
    await vscodeCommand("setKnob", run, "$(x)");
    fake.trusted = true;
    // No live run: each says so, by its name.
    for (const name of ["pauseRun", "setKnob", "toggleNormalization"]) await vscodeCommand(name, run, link);
    for (const how of ["message", "tab", "row", "tooltip", "log"])
      assert.ok(
        fake.said.some((said) => said.how === how && said.text.includes("Open the log")),
        `${how}: it was said, ${JSON.stringify(fake.said.filter((said) => said.how === how))}`,
      );
    assertAllPlain();
  });

  const vscodeCommand = async (name: string, ...args: unknown[]): Promise<unknown> =>
    (await import("./fakeVscode")).commands.executeCommand(`muonscope.${name}`, ...args);
});

describe("there is one way to say something", () => {
  /** Where texts may be handed to VS Code. */
  const WAY = "extension/ui/say.ts";
  /** Of `vscode.window`, what shows no text. */
  const SILENT = ["createTreeView", "registerWebviewPanelSerializer", "showTextDocument"];
  /** Made anywhere: they hold no text that is shown. */
  const TEXTLESS = ["EventEmitter", "Disposable", "ThemeIcon", "ThemeColor"];
  const NAMESPACES = ["window", "workspace", "commands", "extensions"];

  const RULES: [RegExp, string][] = [
    [new RegExp(String.raw`\bvscode\.window(?!\.(?:${SILENT.join("|")})\b)`, "g"), "says something itself"],
    [
      new RegExp(String.raw`\bvscode\.(?!(?:${NAMESPACES.join("|")})\b)[a-z]\w*`, "g"),
      "uses another part of VS Code, which may show texts",
    ],
    [new RegExp(String.raw`\bnew vscode\.(?!(?:${TEXTLESS.join("|")})\b)\w+`, "g"), "makes something that shows a text"],
    [/\bvscode\b(?!\.|["'])/g, "passes vscode on"],
    [
      /\b(?:import|export)\s(?!(?:type )?\* as vscode from)[^;]*from "vscode"|require\("vscode"\)|import\("vscode"\)/g,
      "imports parts of vscode",
    ],
    [/\.(?:title|label|tooltip|message|description|detail|prompt|placeholder|text|validationMessage)\s*=(?![=>])/g, "sets a text itself"],
  ];

  function breaches(file: string, source: string): string[] {
    if (file === WAY || !source.includes('"vscode"')) return [];
    const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "").replace(/^import (?:type )?\* as vscode from "vscode";$/m, "");
    return RULES.flatMap(([pattern, what]) => [...code.matchAll(pattern)].map((match) => `${file} ${what}: ${match[0]}`));
  }

  it("and no file goes another", () => {
    const files = glob.sync("extension/**/*.ts");
    assert.ok(files.includes(WAY) && files.length > 50);
    assert.deepEqual(
      files.flatMap((file) => breaches(file, readFileSync(file, "utf8"))),
      [],
      `texts go to VS Code through ${WAY} alone`,
    );
  });
  it("and one that did would be found", () => {
    const head = 'import * as vscode from "vscode";\n';
    for (const other of [
      "void vscode.window.showErrorMessage(error.message);",
      "vscode.window\n  .showInformationMessage(text)",
      "const { window } = vscode;",
      "const w = vscode; w.window.setStatusBarMessage(text)",
      'vscode["window"].showQuickPick([])'.replace('vscode["', "(vscode)['").replace('"]', "']"),
      "new vscode.MarkdownString(text)",
      "new vscode.TreeItem(text)",
      "vscode.window.createStatusBarItem()",
      "vscode.languages.createDiagnosticCollection()",
      "panel.title = run.name;",
      "view.message = reason",
      "item.tooltip =text",
    ])
      assert.equal(breaches("extension/ui/other.ts", head + other).length > 0, true, other);
    assert.ok(breaches("extension/ui/other.ts", 'import { window } from "vscode";').length > 0);
    assert.ok(breaches("extension/ui/other.ts", 'const { window } = require("vscode");').length > 0);
    assert.deepEqual(breaches("extension/ui/other.ts", `${head}/** vscode */ void vscode.window.showTextDocument(uri);`), []);
  });
});
