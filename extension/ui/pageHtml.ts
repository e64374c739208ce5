/** The document of a webview: one script and one style sheet from dist/webview, and nothing from anywhere else. */
import { randomBytes } from "node:crypto";
import * as vscode from "vscode";

/** `source`: what the page shows, as the editor is to find it again after a reload; the page stores it. */
export function pageHtml(webview: vscode.Webview, extension: vscode.Uri, name: string, title: string, source: unknown): string {
  const nonce = randomBytes(16).toString("base64");
  const file = (ending: string) => webview.asWebviewUri(vscode.Uri.joinPath(extension, "dist", "webview", `${name}.${ending}`));
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource} 'nonce-${nonce}'`,
    `img-src ${webview.cspSource} data: blob:`,
    `font-src ${webview.cspSource}`,
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="en" data-source="${escape(JSON.stringify(source))}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta property="csp-nonce" content="${nonce}">
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="${file("css")}">
<title>${escape(title)}</title>
</head>
<body>
<script nonce="${nonce}" src="${file("js")}"></script>
</body>
</html>`;
}

const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
