// The door of a served VS Code: one HTTP address of this machine in front of a socket file. Every user of the machine, and every page
// that a browser on it has open, reaches the address; through the door comes who knows its secret, which is part of the path. A cookie
// would not do: a browser gives it to all ports of 127.0.0.1, and so to servers of other users.
import { randomBytes, timingSafeEqual } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request as requestOf } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "./shell.mjs";

/** code-server's own service worker does nothing for us. Where it is in charge, VS Code's webviews wait for their worker's update. */
const WITHHELD = "/_static/out/browser/serviceWorker.js";

/** From here to here, compression costs time and saves none. */
const COMPRESSION = ["accept-encoding", "sec-websocket-extensions"];

const REFUSED = "This VS Code serves whoever started it. Open the address that it was started with.\n";

function isSecret(given, secret) {
  const [a, b] = [Buffer.from(given), Buffer.from(secret)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The path behind the door; undefined when the request is refused. */
function admit({ headers, url }, port, secret) {
  const { host, origin } = headers;
  // Another name for this address: a page that had its own name changed to point here.
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`) return undefined;
  // A browser says on whose behalf it asks, whenever that may change something.
  if (origin !== undefined && origin !== `http://${host}`) return undefined;
  const [, given, path] = /^\/([^/?]*)(\/.*)$/.exec(url) ?? [];
  if (given === undefined || !isSecret(given, secret)) return undefined;
  return path.startsWith(WITHHELD) ? undefined : path;
}

/** The head of a request as it came, for another path and without compression. */
function headOf({ method, rawHeaders }, path) {
  const lines = [`${method} ${path} HTTP/1.1`];
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (!COMPRESSION.includes(rawHeaders[i].toLowerCase())) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function pass(request, response, path, socketPath) {
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => !COMPRESSION.includes(name) && name !== "connection"),
  );
  const inner = requestOf({ socketPath, agent: false, method: request.method, path, headers });
  inner.on("response", (answer) => {
    delete answer.headers.connection;
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
    answer.on("error", () => response.destroy());
  });
  inner.on("error", (error) => {
    if (response.headersSent) return response.destroy();
    response.writeHead(502, { "content-type": "text/plain" }).end(`VS Code does not answer: ${error.message}\n`);
  });
  response.on("close", () => inner.destroy());
  request.pipe(inner);
}

function passUpgrade(request, client, head, path, socketPath) {
  const inner = connect(socketPath);
  for (const [one, other] of [
    [client, inner],
    [inner, client],
  ])
    one.on("error", () => other.destroy()).on("close", () => other.destroy());
  inner.write(headOf(request, path));
  inner.write(head);
  client.pipe(inner).pipe(client);
}

/**
 * Opens one. `port`: where; a free one by default. Returns the socket file that VS Code is to listen on, in a folder that only its
 * user can enter; the address, which is a secret and ends with a slash; and how to close it.
 */
export async function openGateway(port) {
  const secret = randomBytes(24).toString("base64url");
  // In the folder for what is temporary: a socket's path has at most 107 bytes. Made with mode 700.
  const folder = mkdtempSync(join(tmpdir(), "muonscope-"));
  const socket = join(folder, "vscode.sock");
  const server = createServer((request, response) => {
    const path = admit(request, server.address().port, secret);
    if (path !== undefined) return pass(request, response, path, socket);
    response.writeHead(403, { "content-type": "text/plain", connection: "close" }).end(REFUSED);
  });
  server.on("upgrade", (request, client, head) => {
    const path = admit(request, server.address().port, secret);
    if (path !== undefined) return passUpgrade(request, client, head, path, socket);
    client.on("error", () => client.destroy());
    client.end(`HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n${REFUSED}`);
  });
  const close = () => {
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await new Promise((accept, reject) => server.once("error", reject).listen(port ?? 0, "127.0.0.1", accept));
  } catch (error) {
    close();
    throw new Failure(`Port ${port ?? 0} of 127.0.0.1 cannot be listened on: ${error.message}. Choose another one with --port.`);
  }
  return { socket, url: `http://127.0.0.1:${server.address().port}/${secret}/`, close };
}
