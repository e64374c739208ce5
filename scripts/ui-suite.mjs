// The ui suite: the packaged extension in a served VS Code, clicked through in a real browser by test/ui.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { testVsix } from "./package.mjs";
import { artifacts, findChromium, root } from "./places.mjs";
import { startServedVscode } from "./served-vscode.mjs";
import { step } from "./shell.mjs";
import { endRuns, makeTestWorkspace } from "./test-workspace.mjs";

const folder = join(root, "build", "test", "ui");
export const screenshots = join(artifacts, "ui");

/** `nodeTests`: runs the bundled tests of a folder with an environment (scripts/suites.mjs). */
export async function runUiSuite(nodeTests) {
  rmSync(folder, { recursive: true, force: true });
  rmSync(screenshots, { recursive: true, force: true });
  mkdirSync(screenshots, { recursive: true });
  const vsix = await testVsix();
  const workspace = makeTestWorkspace(join(folder, "workspace"));
  const data = join(folder, "vscode");
  const server = await step("Starting a served VS Code", () =>
    startServedVscode({
      folder: workspace,
      data,
      vsix: [vsix],
      settings: { "workbench.colorTheme": "Light Modern" },
      trusted: true,
    }),
  );
  try {
    return await nodeTests("ui", {
      MUONSCOPE_TEST_URL: server.url,
      MUONSCOPE_TEST_SERVED: data,
      MUONSCOPE_TEST_WORKSPACE: workspace,
      MUONSCOPE_TEST_SCREENSHOTS: screenshots,
      MUONSCOPE_CHROMIUM: findChromium(),
    });
  } finally {
    await server.stop();
    await endRuns(workspace);
  }
}
