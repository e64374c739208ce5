// The host suite in a desktop VS Code, by @vscode/test-electron: VSCODE_EXECUTABLE=/path/to/code npm run test:electron.
// Nothing is downloaded. The extension is loaded from this checkout; `npm test` tests the packaged one.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { countTests, makeTestExtension, readResults, testEnvironment } from "./host-suite.mjs";
import { root } from "./places.mjs";
import { entry, Failure } from "./shell.mjs";
import { endRuns, makeHostileWorkspace, makeTestWorkspace } from "./test-workspace.mjs";

const folder = join(root, "build", "test", "electron");

await entry(async () => {
  const executable = process.env.VSCODE_EXECUTABLE;
  if (!executable)
    throw new Failure("VSCODE_EXECUTABLE must name a desktop VS Code's executable; it was not set. `npm test -- host` needs none.");
  await build();
  const { runTests } = await import("@vscode/test-electron");
  rmSync(folder, { recursive: true, force: true });
  const results = join(folder, "results");
  const empty = join(folder, "empty");
  for (const each of [results, empty]) mkdirSync(each, { recursive: true });
  const workspace = makeTestWorkspace(join(folder, "workspace"));
  const hostile = makeHostileWorkspace(join(folder, "hostile"));
  const testExtension = join(folder, "extension");
  makeTestExtension(testExtension);
  const tests = [];
  try {
    // Each phase is a start of VS Code: the second finds what the first left running.
    for (const [phase, open] of [
      ["run", workspace],
      ["reload", workspace],
      ["untrusted", empty],
      ["hostile", hostile.open],
    ]) {
      const places = ["--user-data-dir", join(folder, "user"), "--extensions-dir", join(folder, "extensions")];
      await runTests({
        vscodeExecutablePath: executable,
        extensionDevelopmentPath: [root, testExtension],
        extensionTestsPath: join(testExtension, "main.js"),
        extensionTestsEnv: testEnvironment([phase], results, workspace, hostile.runs),
        launchArgs: [open, ...places, ...(open === workspace ? ["--disable-workspace-trust"] : [])],
      });
      tests.push(...readResults(phase, join(results, `${phase}.json`)).tests);
    }
  } finally {
    await endRuns(workspace);
  }
  const { passed, failed, skipped } = countTests(tests);
  console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
  if (failed > 0) process.exitCode = 1;
});
