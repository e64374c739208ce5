/**
 * The served VS Code is its user's alone: who has its address uses it; another user of the machine, and a page of another origin, do
 * not. Environment as of workbench.ts, and MUONSCOPE_TEST_SERVED: the folder of the server's data.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { request, type OutgoingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { environment } from "./workbench";

const address = new URL(environment("MUONSCOPE_TEST_URL"));
const secret = address.pathname;
const own = `http://${address.host}`;
const NOBODY = 65534;

/** The status of an answer; `path` begins behind the host. */
function status(path: string, headers: OutgoingHttpHeaders = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port: address.port, path, headers: { host: address.host, ...headers } });
    asked.on("response", (answer) => {
      answer.resume();
      resolve(answer.statusCode!);
    });
    asked.on("upgrade", (answer, socket) => {
      socket.destroy();
      resolve(answer.statusCode!);
    });
    asked.on("error", reject).end();
  });
}

/** The status of an answer to the workbench's way of opening its socket. */
const upgrade = (path: string, headers: OutgoingHttpHeaders = {}): Promise<number> =>
  status(`${path}?reconnectionToken=${randomUUID()}&reconnection=false&skipWebSocketFrames=false`, {
    connection: "Upgrade",
    upgrade: "websocket",
    origin: own,
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  });

/**
 * What another user tries. Told on standard input, not where it would find it itself: { port, secret, data, sockets }, the last being how
 * paths of sockets begin. Prints what it got at, as JSON, and how much it tried.
 */
const INTRUDER = `
const { readFileSync, readdirSync } = require("node:fs");
const { get } = require("node:http");
const { connect } = require("node:net");
const { port, secret, data, sockets } = JSON.parse(readFileSync(0, "utf8"));
const found = [];
const tried = { sockets: 0, processes: 0 };
const attempt = (what, act) => { try { if (act()) found.push(what); } catch (error) { if (!["EACCES", "EPERM", "ENOENT", "ESRCH"].includes(error.code)) throw error; } };
const asked = (options) => new Promise((resolve, reject) => get({ host: "127.0.0.1", port, ...options }, (answer) => resolve(answer.statusCode)).on("error", reject));
const reached = (path) => new Promise((resolve) => { const socket = connect(path, () => { socket.destroy(); resolve(true); }).on("error", () => resolve(false)); });
(async () => {
  for (const path of ["/", "/healthz", "/?folder=/root", "/vscode-remote-resource?path=/etc/passwd"])
    if ((await asked({ path })) !== 403) found.push("answer to " + path);
  attempt("list of " + data, () => readdirSync(data));
  attempt("settings", () => readFileSync(data + "/user/User/settings.json"));
  attempt("log", () => readFileSync(data + "/server.log"));
  for (const pid of readdirSync("/proc").filter((name) => /^\\d+$/.test(name))) {
    tried.processes++;
    for (const file of ["cmdline", "environ"]) attempt(file + " of process " + pid, () => readFileSync("/proc/" + pid + "/" + file, "utf8").includes(secret));
  }
  const paths = new Set(readFileSync("/proc/net/unix", "utf8").split("\\n").map((line) => line.split(" ").at(-1)));
  for (const path of paths) {
    if (!sockets.some((start) => path.startsWith(start))) continue;
    tried.sockets++;
    if (await reached(path)) found.push(path);
  }
  console.log(JSON.stringify({ found, tried }));
})();
`;

/** Why another user cannot be played here; undefined when it can. */
const cannotIntrude = process.platform !== "linux" || process.getuid?.() !== 0 ? "only root on Linux can act as another user" : undefined;

async function intrude(): Promise<{ found: string[]; tried: { sockets: number; processes: number } }> {
  const data = environment("MUONSCOPE_TEST_SERVED");
  assert.ok(existsSync(join(data, "user", "User", "settings.json")), "what it tries to read is there");
  // VS Code's own are in XDG_RUNTIME_DIR where there is one.
  const temporary = [tmpdir(), process.env["XDG_RUNTIME_DIR"] ?? tmpdir()];
  const sockets = [data, ...temporary.flatMap((folder) => [join(folder, "muonscope-"), join(folder, "vscode-")])];
  const child = spawn(process.execPath, ["-e", INTRUDER], {
    cwd: "/",
    uid: NOBODY,
    gid: NOBODY,
    env: {},
    stdio: ["pipe", "pipe", "inherit"],
  });
  child.stdin.end(JSON.stringify({ port: address.port, secret: secret.slice(1, -1), data, sockets }));
  return JSON.parse(await text(child.stdout)) as Awaited<ReturnType<typeof intrude>>;
}

describe("the served VS Code", () => {
  it("opens for who has its address", async () => {
    assert.equal(await status(`${secret}${address.search}`), 200);
    assert.equal(await status(`${secret}healthz`, { host: `localhost:${address.port}` }), 200);
    assert.equal(await upgrade(secret), 101);
  });

  it("refuses who has not", async () => {
    const wrong = secret.replace(/.\/$/, (end) => (end === "A/" ? "B/" : "A/"));
    for (const path of ["/", "/healthz", `/${address.search}`, wrong, secret.slice(0, -1), `/${secret}`]) {
      assert.equal(await status(path), 403, path);
      assert.equal(await upgrade(path), 403, path);
    }
  });

  it("refuses requests by another name", async () => {
    for (const host of [
      "example.org",
      `example.org:${address.port}`,
      "127.0.0.1",
      "127.0.0.1:1",
      `127.0.0.1.example.org:${address.port}`,
    ]) {
      assert.equal(await status(secret, { host }), 403, host);
      assert.equal(await upgrade(secret, { host, origin: `http://${host}` }), 403, host);
    }
  });

  it("refuses pages of other origins", async () => {
    for (const origin of [
      "http://example.org",
      "null",
      `https://${address.host}`,
      "http://127.0.0.1:1",
      `http://localhost:${address.port}`,
    ]) {
      assert.equal(await status(`${secret}healthz`, { origin }), 403, origin);
      assert.equal(await upgrade(secret, { origin }), 403, origin);
    }
  });

  it("gives another user of the machine nothing", { skip: cannotIntrude }, async () => {
    const { found, tried } = await intrude();
    assert.deepEqual(found, []);
    assert.ok(tried.sockets > 0 && tried.processes > 0, JSON.stringify(tried));
  });
});
