// The bundles, into dist/: what ships and what the tests run. `node esbuild.mjs`; with --watch they follow their sources.
// `npm run build` makes the addon's binary, too.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./scripts/places.mjs";
import { setup } from "./scripts/setup.mjs";
import { entry, Failure, isProgram } from "./scripts/shell.mjs";

const shipped = ["extension", "trainer", "webview"];

/** Bundles by name. A group is one esbuild call: its entry points share options. */
async function groups(watch) {
  const { default: glob } = await import("fast-glob");
  const sources = (pattern) => glob.sync(pattern, { cwd: root }).sort();
  const common = { absWorkingDir: root, bundle: true, logLevel: "warning", metafile: true, minify: !watch, sourcemap: true };
  const node = { ...common, platform: "node", format: "cjs", target: "node20" };
  return {
    // What VS Code loads.
    extension: { ...node, entryPoints: { main: "extension/main.ts" }, outdir: "dist", external: ["vscode"] },
    // The training process.
    trainer: { ...node, entryPoints: { trainer: "extension/trainer/main.ts" }, outdir: "dist" },
    // One bundle a panel: each file directly in webview/ is an entry point.
    webview: {
      ...common,
      platform: "browser",
      format: "iife",
      target: "es2022",
      entryPoints: sources("webview/*.ts"),
      outdir: "dist/webview",
      loader: { ".ttf": "dataurl" },
    },
    tests: {
      ...node,
      minify: false,
      entryPoints: [
        ...sources("test/{unit,ui,cuda}/*.test.ts"),
        ...sources("test/{golden/golden,bench/bench,gpu/check,python/dump,ui/pictures}.ts"),
      ],
      outbase: "test",
      outdir: "dist/test",
      packages: "external",
      // There is none outside of an editor.
      alias: { vscode: "./test/unit/fakeVscode.ts" },
    },
    tools: {
      ...node,
      minify: false,
      entryPoints: { generate: "scripts/generate.ts", processes: "extension/runs/processes.ts", hostile: "test/hostile/make.ts" },
      outdir: "dist/tools",
    },
    // An extension of its own, installed where no node_modules are: Mocha goes in.
    host: {
      ...node,
      minify: false,
      entryPoints: { "host/main": "test/host/main.ts" },
      outdir: "dist/test",
      external: ["vscode"],
      // Mocha's parallel mode, which is not used.
      logOverride: { "require-resolve-not-external": "silent" },
    },
  };
}

/** Which npm packages are inside the bundles that ship, as a JSON array: their licences go along. */
export const bundledPackagesFile = join(root, "build", "bundled-packages.json");

function bundledPackages(metafile) {
  const names = Object.keys(metafile.inputs).map((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
  return [...new Set(names.filter(Boolean))].sort();
}

export async function buildBundles({ watch = false } = {}) {
  const esbuild = await import("esbuild");
  const packages = new Set();
  const failed = [];
  for (const [name, options] of Object.entries(await groups(watch))) {
    if (watch) {
      const context = await esbuild.context({ ...options, logLevel: "info" });
      await context.watch();
      continue;
    }
    // esbuild prints the errors with their places; the other groups are still worth having.
    const result = await esbuild.build(options).catch(() => void failed.push(name));
    if (result && shipped.includes(name)) for (const found of bundledPackages(result.metafile)) packages.add(found);
  }
  if (failed.length > 0) throw new Failure(`Bundling failed: ${failed.join(", ")}.`);
  if (watch) return;
  mkdirSync(dirname(bundledPackagesFile), { recursive: true });
  writeFileSync(bundledPackagesFile, JSON.stringify([...packages].sort(), null, 2));
}

if (isProgram(import.meta.url))
  await entry(async () => {
    await setup([]);
    await buildBundles({ watch: process.argv.includes("--watch") });
  });
