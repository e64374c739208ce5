// `npm start`: installs what is missing, builds, and opens VS Code on examples/ with the extension in it: the desktop's
// `code` where there is one on the PATH, else a served VS Code that stays until Ctrl-C (`--port N`, `--served` to prefer it).
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { packVsix } from "./package.mjs";
import { findProgram, root } from "./places.mjs";
import { startServedVscode } from "./served-vscode.mjs";
import { install, setup } from "./setup.mjs";
import { entry, passThrough, step } from "./shell.mjs";

const examples = join(root, "examples");

async function serve(port) {
  const vsix = join(root, "build", "start", "muonscope.vsix");
  await step("Packaging the extension", () => packVsix(vsix));
  const server = await step("Starting a served VS Code", () =>
    startServedVscode({
      folder: examples,
      data: join(root, "build", "start", "vscode"),
      vsix: [vsix],
      // Its default would only show a banner, and runs start in a trusted folder alone.
      settings: { "security.workspace.trust.startupPrompt": "once" },
      port,
    }),
  );
  console.log(
    `\nVS Code is at  ${server.url}\nThe address is the key: who has it can do what you can. VS Code asks whether you trust the folder; then open the palette (F1)\n` +
      'and choose "Muonscope: Start Training Run…". Ctrl-C ends it; runs go on.',
  );
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void server.stop());
  await server.exited;
}

await entry(async () => {
  const { values } = parseArgs({ options: { port: { type: "string" }, served: { type: "boolean" } } });
  const code = values.served || values.port ? undefined : findProgram("code");
  const parts = code ? ["compiler"] : ["compiler", "vscode"];
  await setup(parts);
  // Both take minutes the first time; one compiles on one core for much of it.
  const { vscode } = install(parts);
  await Promise.all([build(), vscode]);
  if (!code) return serve(values.port && Number(values.port));
  console.log("Opening VS Code on examples/…");
  process.exitCode = await passThrough(code, [`--extensionDevelopmentPath=${root}`, "--new-window", examples]);
});
