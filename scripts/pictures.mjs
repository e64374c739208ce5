// `npm run pictures`: takes the README's pictures anew, of a real run in a served VS Code (test/ui/pictures.ts), into docs/images/.
// Where pngquant is on the PATH they take a third of the bytes.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { testVsix } from "./package.mjs";
import { dist, findChromium, findProgram, root } from "./places.mjs";
import { startServedVscode } from "./served-vscode.mjs";
import { install, setup } from "./setup.mjs";
import { capture, entry, passThrough } from "./shell.mjs";

await entry(async () => {
  const parts = ["compiler", "browser", "vscode"];
  await setup(parts);
  await Promise.all([build(), install(parts).vscode]);
  const data = join(root, "build", "pictures");
  rmSync(data, { recursive: true, force: true });
  const images = join(root, "docs", "images");
  mkdirSync(images, { recursive: true });
  const server = await startServedVscode({
    folder: join(root, "examples"),
    data,
    vsix: [await testVsix()],
    settings: { "workbench.colorTheme": "Light Modern" },
    trusted: true,
  });
  try {
    process.exitCode = await passThrough(process.execPath, [join(dist, "test", "ui", "pictures.js")], {
      env: { MUONSCOPE_TEST_URL: server.url, MUONSCOPE_TEST_SCREENSHOTS: images, MUONSCOPE_CHROMIUM: findChromium() },
    });
  } finally {
    await server.stop();
  }
  const pngquant = findProgram("pngquant");
  const files = readdirSync(images).map((name) => join(images, name));
  if (pngquant) await capture(pngquant, ["--force", "--ext", ".png", "--strip", "--speed", "1", ...files]);
});
