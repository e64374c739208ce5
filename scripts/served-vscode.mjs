// A served VS Code (code-server) with extensions of our choice, on this machine and for its user only: for `npm start` without a
// desktop VS Code, and for the host and ui suites. It listens on a socket file that no other user can reach; scripts/gateway.mjs is
// the way in.
import { spawn } from "node:child_process";
import { chmodSync, createWriteStream, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openGateway } from "./gateway.mjs";
import { servedVscode } from "./setup.mjs";
import { capture, Failure } from "./shell.mjs";

/** Nothing that takes attention from the extension or calls home; a user of `npm start` may change it. */
const SETTINGS = {
  "workbench.startupEditor": "none",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "chat.disableAIFeatures": true,
  "telemetry.telemetryLevel": "off",
  "extensions.autoCheckUpdates": false,
  // The folders opened lie in this repository.
  "git.openRepositoryInParentFolders": "never",
};

/** Milliseconds for the server to answer. */
const ANSWER_LIMIT = 60_000;
/** More where so many installations of an extension, which start the same program, take more. */
const INSTALLATIONS = 20;

/** Resolves when the server answers; rejects when its process ends before, with what it said. */
async function answers(url, child, logFile, limit) {
  const deadline = Date.now() + limit;
  let ended;
  child.once("exit", (code, signal) => (ended = signal ?? `exit code ${code}`));
  while (Date.now() < deadline) {
    if (ended) throw new Failure(`The served VS Code ended (${ended}) before it answered; see ${logFile}.`);
    const ok = await fetch(`${url}healthz`).then(
      (response) => response.ok,
      () => false,
    );
    if (ok) return;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  throw new Failure(`The served VS Code did not answer within ${(limit / 1000).toFixed(0)} s; see ${logFile}.`);
}

/**
 * Starts one.
 *
 * `folder`: what it opens. `data`: a folder for its user data, extensions and log, for nobody else to read; kept when it exists.
 * `vsix`: packages to install. `settings`: the user's, over those above. `trusted`: the workspace is, without asking; else VS Code
 * asks. `port`: of its address; a free one by default. `env`: for the server and so for the extension host. Returns its address,
 * which is a secret, and how to end it.
 */
export async function startServedVscode({ folder, data, vsix = [], settings = {}, trusted = false, port, env = {} }) {
  const extensions = join(data, "extensions");
  const user = join(data, "user");
  const settingsFile = join(user, "User", "settings.json");
  const logFile = join(data, "server.log");
  mkdirSync(data, { recursive: true });
  chmodSync(data, 0o700);
  mkdirSync(dirname(settingsFile), { recursive: true });
  // Its user may have changed them since: written once.
  if (!existsSync(settingsFile)) writeFileSync(settingsFile, JSON.stringify({ ...SETTINGS, ...settings }, null, 2));
  // Not that of a code-server which its user may have.
  const config = join(data, "config.yaml");
  writeFileSync(config, "");
  const places = ["--config", config, "--extensions-dir", extensions, "--user-data-dir", user];
  const environment = { ...env, PATH: `${dirname(servedVscode.node)}:${process.env.PATH}` };
  rmSync(join(extensions, "extensions.json"), { force: true });
  const begun = Date.now();
  if (vsix.length > 0)
    await capture(servedVscode.node, [servedVscode.entry, ...vsix.flatMap((file) => ["--install-extension", file]), "--force", ...places], {
      env: environment,
    });
  const limit = Math.max(ANSWER_LIMIT, INSTALLATIONS * (Date.now() - begun));
  const gateway = await openGateway(port);
  const args = ["--auth", "none", "--socket", gateway.socket, "--socket-mode", "600", "--disable-proxy", ...places];
  args.push("--disable-telemetry", "--disable-update-check");
  if (trusted) args.push("--disable-workspace-trust");
  const log = createWriteStream(logFile);
  // A group of its own, so that `stop` reaches the extension host too; the trainers it started are in groups of theirs.
  const child = spawn(servedVscode.node, [servedVscode.entry, ...args, folder], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const exited = new Promise((accept) => child.once("exit", accept)).then(gateway.close);
  const stop = async () => {
    try {
      process.kill(-child.pid, "SIGTERM");
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
    await exited;
  };
  try {
    await answers(gateway.url, child, logFile, limit);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `${gateway.url}?folder=${encodeURIComponent(folder)}`, stop, exited, logFile };
}
