/** Rules of this repository that no compiler checks: who may import whom, how files begin, what must not be in them. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { describe, it } from "node:test";
import glob from "fast-glob";

const ignore = ["**/node_modules/**", "dist/**", "build/**", "artifacts/**", "**/.muonscope/**", ".git/**", "**/__pycache__/**"];
const find = (pattern: string | string[]): string[] => glob.sync(pattern, { ignore, dot: true });
const read = (file: string): string => readFileSync(file, "utf8");
const lineOf = (text: string, index: number): number => text.slice(0, index).split("\n").length;

/** Fails with every breach, not only the first. */
function assertNone(breaches: string[], rule: string): void {
  assert.deepEqual(breaches, [], rule);
}

/** `file:line: text` of every match outside of the files excepted. */
function matches(files: string[], pattern: RegExp): string[] {
  return files.flatMap((file) => {
    const text = read(file);
    return [...text.matchAll(pattern)].map((match) => `${file}:${lineOf(text, match.index)}: ${match[0].trim()}`);
  });
}

/** What a TypeScript file imports, relative ones as paths from the root. */
function imports(file: string): string[] {
  const found = read(file).matchAll(
    /(?:^|\s)(?:import|export)\b[^;'"]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']|\brequire\(\s*["']([^"']+)["']/gm,
  );
  return [...found].map(([, from, direct, required]) => {
    const name = (from ?? direct ?? required)!;
    return name.startsWith(".") ? posix.normalize(posix.join(dirname(file), name)) : name;
  });
}

function breachesOf(folder: string, allowed: (name: string) => boolean): string[] {
  return find(`${folder}/**/*.ts`).flatMap((file) =>
    imports(file)
      .filter((name) => !allowed(name))
      .map((name) => `${file} imports ${name}`),
  );
}

const within =
  (...folders: string[]) =>
  (name: string) =>
    folders.some((folder) => name === folder || name.startsWith(`${folder}/`));
const isNode = (name: string): boolean => name.startsWith("node:");
const isPackage = (name: string): boolean => !/^(node:|vscode$|extension\/|webview\/|test\/|scripts\/|\.)/.test(name);

describe("tidy: who imports whom", () => {
  it("protocol imports nothing but itself", () => {
    assertNone(
      breachesOf("extension/protocol", within("extension/protocol")),
      "extension/protocol is for every process: it imports nothing else",
    );
  });
  it("protocol uses nothing of Node or the DOM", () => {
    const pattern = /(?<![.\w"'`/])(?:process|Buffer|__dirname|require|document|window|localStorage|fetch)(?=[.([])/g;
    const code = find("extension/protocol/**/*.ts").filter((file) => !/^\s*(\/\/|\*)/.test(file));
    assertNone(matches(code, pattern), "extension/protocol runs in a webview and in Node alike");
  });
  it("runs knows Node and the protocol", () => {
    const own = within("extension/runs", "extension/protocol");
    assertNone(
      breachesOf("extension/runs", (name) => own(name) || isNode(name) || isPackage(name)),
      "extension/runs: Node only",
    );
  });
  it("trainer knows Node, runs and the protocol", () => {
    const own = within("extension/trainer", "extension/runs", "extension/protocol", "package.json");
    assertNone(
      breachesOf("extension/trainer", (name) => own(name) || isNode(name) || isPackage(name)),
      "extension/trainer: Node only",
    );
  });
  it("ui does not reach into the trainer", () => {
    assertNone(
      breachesOf("extension/ui", (name) => !within("extension/trainer", "webview")(name)),
      "the editor and the trainer are two processes",
    );
  });
  it("only ui and main.ts import vscode", () => {
    const files = find(["extension/**/*.ts", "webview/**/*.ts"]).filter((file) => !within("extension/ui", "extension/main.ts")(file));
    assertNone(
      files.filter((file) => imports(file).includes("vscode")),
      "vscode is there in the extension host only",
    );
  });
  it("webview knows the protocol, Chart.js and the toolkit", () => {
    const own = within("webview", "extension/protocol", "chart.js", "@microsoft", "@vscode/webview-ui-toolkit");
    assertNone(breachesOf("webview", own), "a page has no Node and no vscode");
  });
  it("one file reads what a folder holds", () => {
    /** What else they need of the file system: nothing that came with a folder. */
    const others: Record<string, string> = {
      "extension/runs/files.ts": "the way in",
      "extension/runs/ownFiles.ts": "the way out: what is written into a run's folder stays in it",
      "extension/runs/durable.ts": "writes, and syncs, what is the trainer's own",
      "extension/runs/cudaLibraries.ts": "a Python environment that its user named",
      "extension/runs/launch.ts": "the folder of a run that it starts, in a trusted workspace",
      "extension/runs/newFolder.ts": "makes a folder",
      "extension/runs/priority.ts": "the system's own /proc",
      "extension/runs/processes.ts": "the system's own /proc",
    };
    const users = find("extension/{runs,ui,protocol}/**/*.ts").filter((file) =>
      imports(file).some((name) => /^(?:node:)?fs(?:\/|$)|^fast-glob$/.test(name)),
    );
    assertNone(
      users.filter((file) => !(file in others)),
      "extension/runs/files.ts reads regular files of bounded size; nothing else of runs and ui reads a folder",
    );
    assertNone(
      Object.keys(others).filter((file) => !users.includes(file)),
      "exceptions that are none",
    );
  });
  it("a process is started for a run that is started, and for nothing that a folder holds", () => {
    const starters = find("extension/{runs,ui,protocol}/**/*.ts").filter((file) => imports(file).includes("node:child_process"));
    assert.deepEqual(starters.sort(), [
      "extension/runs/devices.ts", // the trainer's program, asked for backends
      "extension/runs/launch.ts", // the trainer
      "extension/runs/processes.ts", // ps, where there is no /proc to look a process up in
    ]);
  });
  it("one file loads the binary", () => {
    const files = find(["extension/**/*.ts", "webview/**/*.ts", "test/**/*.ts"]).filter((file) => file !== "test/unit/tidy.test.ts");
    assertNone(
      files.filter((file) => file !== "extension/trainer/addon.ts" && /muonscope\.node/.test(read(file))),
      "extension/trainer/addon.ts loads the addon for everyone",
    );
  });
});

describe("tidy: native", () => {
  const includes = (files: string[], pattern: RegExp): string[] =>
    matches(files, new RegExp(`^\\s*#\\s*include\\s*[<"]${pattern.source}`, "gm"));
  it("only addon/ knows Node-API", () => {
    assertNone(
      includes(find(["native/{core,backend,test}/**/*.{h,cc,cu,cuh}"]), /(napi|node_api|js_native_api)/),
      "native/addon alone includes napi",
    );
  });
  it("only backend/cuda knows CUDA", () => {
    const files = find("native/**/*.{h,cc}").filter((file) => !/^native\/(backend\/cuda\/|test\/cu)/.test(file));
    assertNone(includes(files, /(cuda|cublas|nccl|nvml)/), "native/backend/cuda, and tests of it, alone include CUDA");
  });
  it("core knows no backend but by its interface", () => {
    assertNone(
      includes(find("native/core/**/*.{h,cc}"), /backend\/(?!backend\.h)/),
      "native/core is written over native/backend/backend.h",
    );
  });
  it("exits and aborts nowhere", () => {
    const files = find("native/{core,backend,addon}/**/*.{h,cc,cu,cuh}");
    assertNone(
      matches(files, /(?<![\w.>])(?:std::)?(?:exit|abort|terminate|quick_exit|_Exit)\s*\(|(?<!static_)\bassert\s*\(/g),
      "native code throws",
    );
  });
});

describe("tidy: files", () => {
  const code = find(["{extension,webview,test,scripts}/**/*.{ts,mjs,css,py}", "native/**/*.{h,cc,cu,cuh}", "native/**/CMakeLists.txt"]);

  it("each begins with a comment that says what it is for", () => {
    const begins = /^(?:#!.*\n)?(?:\/\/ \S|\/\*\*?\s+\S|\/\*\*\n \* \S|# \S|#\n# \S|"""\S)/;
    const header = (file: string): string => file.replace(/\.cc$/, ".h");
    assertNone(
      // A .cc is for what its header says.
      code.filter(
        (file) => !begins.test(read(file)) && !(file.endsWith(".cc") && existsSync(header(file)) && begins.test(read(header(file)))),
      ),
      "the first line of a file says what it is for",
    );
  });
  it("none is longer than 300 lines", () => {
    /** Longer for a reason. */
    const exceptions: Record<string, string> = {};
    assertNone(
      code
        .filter((file) => !(file in exceptions) && read(file).split("\n").length > 301)
        .map((file) => `${file}: ${read(file).split("\n").length - 1}`),
      "300 lines, or an entry with its reason in test/unit/tidy.test.ts",
    );
    assertNone(
      Object.keys(exceptions).filter((file) => !existsSync(file) || read(file).split("\n").length <= 301),
      "exceptions that are none",
    );
  });
  it("TypeScript has no any and no suppressed error", () => {
    const files = find("{extension,webview,test}/**/*.ts").filter((file) => file !== "test/unit/tidy.test.ts");
    assertNone(
      matches(files, /(?<!(?:\/\/|\*).*)[:<,|(]\s*any\b(?=[\s,;)>[\]|])|\bas any\b|@ts-(?:ignore|nocheck|expect-error)/g),
      "TypeScript is strict",
    );
  });
  it("nothing is left to do or to debug", () => {
    const files = code.filter((file) => file !== "test/unit/tidy.test.ts");
    assertNone(matches(files, /\b(?:TODO|FIXME|XXX|HACK)\b|\bdebugger;|\b(?:it|describe|test)\.only\(/g), "no notes to oneself");
    assertNone(
      matches(find(["extension/{ui,runs,protocol}/**/*.ts", "webview/**/*.ts", "extension/main.ts"]), /\bconsole\.\w+\(/g),
      "log to the output channel",
    );
  });
  it("no text becomes a regular expression", () => {
    // One that a folder or an order brings along may never come to an end.
    assertNone(
      matches(find(["extension/**/*.ts", "webview/**/*.ts"]), /\bRegExp\(/g),
      "scopes are matched by extension/protocol/scope.ts, other patterns are written out",
    );
  });
  it("no path of one machine and no address of a package registry", () => {
    const places = ["work", "root", "tmp", "opt(?!/homebrew)"].join("|");
    const hosts =
      ["registry", "npmjs", "org"].join(String.raw`\.`) +
      "|" +
      ["pypi", "org"].join(String.raw`\.`) +
      "|" +
      ["download", "pytorch"].join(String.raw`\.`);
    const files = find(["**/*.{ts,mjs,css,py,h,cc,cu,txt,md,json,yml}", ".ci/run", ".vscodeignore", ".npmrc"]).filter(
      (file) => file !== "test/unit/tidy.test.ts",
    );
    assertNone(matches(files, new RegExp(String.raw`(?<![\w.}~*)$-])/(?:${places})/|${hosts}`, "g")), "a checkout works everywhere");
  });
  it("lock files name no download address", () => {
    const locks = find("**/package-lock.json");
    assert.ok(locks.includes("package-lock.json"));
    assertNone(matches(locks, /"resolved"/g), 'install with "omit-lockfile-registry-resolved"');
  });
});

describe("tidy: what ships", () => {
  interface Manifest {
    license?: string;
    main: string;
    engines: { vscode: string };
    devDependencies: Record<string, string>;
    dependencies?: Record<string, string>;
  }
  const manifest = (folder: string): Manifest => JSON.parse(read(join(folder, "package.json"))) as Manifest;

  it("what is bundled is licensed for it", () => {
    const allowed = new Set(["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Apache-2.0", "CC0-1.0", "Unlicense"]);
    const bundled = JSON.parse(read("build/bundled-packages.json")) as string[];
    assert.ok(bundled.length > 0, "build/bundled-packages.json lists what is in the bundles");
    assertNone(
      bundled
        .map((name) => `${name}: ${manifest(join("node_modules", name)).license}`)
        .filter((line) => !allowed.has(line.split(": ")[1]!)),
      `licences other than ${[...allowed].join(", ")}`,
    );
  });
  it("everything is bundled: no package is needed at run time", () => {
    assert.equal(manifest(".").dependencies, undefined);
  });
  it(
    "the addon finds the libraries it brings along beside it, and needs no others",
    { skip: process.platform !== "linux" && "ldd is Linux's" },
    () => {
      const output = execFileSync("ldd", ["dist/muonscope.node"], { encoding: "utf8" });
      const system = /^(linux-vdso|ld-linux.*|libc|libm|libdl|librt|libpthread|libstdc\+\+|libgcc_s)\.so/;
      const found = [...output.matchAll(/^\s*(\S+) => (\S+)/gm)].filter(([, name]) => !system.test(name!));
      assertNone(
        found.filter(([, , file]) => !file!.startsWith(join(process.cwd(), "dist"))).map(([line]) => line.trim()),
        "an installed package needs nothing but the machine",
      );
    },
  );
  it("a page's script stays under 0.5 MB", () => {
    // Larger ones make a window on a remote machine slow to open (microsoft/vscode-python#7874).
    const pages = glob.sync("dist/webview/*.js");
    assert.ok(pages.length > 0, "dist/webview holds the pages");
    assertNone(
      pages.filter((file) => statSync(file).size > 0.5e6).map((file) => `${file}: ${statSync(file).size}`),
      "a page's script",
    );
  });
  it("the types of VS Code are no newer than the oldest VS Code that is supported", () => {
    const version = (text: string): number[] =>
      text
        .replace(/^[^\d]*/, "")
        .split(".")
        .map(Number);
    const types = version((JSON.parse(read("node_modules/@types/vscode/package.json")) as { version: string }).version);
    const engine = version(manifest(".").engines.vscode);
    assert.ok(types[0] === engine[0] && types[1]! <= engine[1]!, `@types/vscode ${types.join(".")}, engines.vscode ${engine.join(".")}`);
  });
});
