// The panel's page: one script and one style sheet of the extension, and nothing else may be loaded.

import { randomBytes } from "node:crypto";
import { Uri, type Webview } from "vscode";

export function pageOf(webview: Webview, extension: Uri): string {
    const at = (...path: string[]) => webview.asWebviewUri(Uri.joinPath(extension, ...path)).toString();
    const nonce = randomBytes(16).toString("base64");
    return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'">
<link rel="stylesheet" href="${at("media", "activity.css")}">
<title>Activity</title>
</head>
<body>
<header>
<select id="session" title="Session"></select>
<input id="search" type="search" placeholder="Search" title="Words that must all occur">
<select id="where" title="Where it went">
<option value="">everywhere</option><option value="local">local</option><option value="remote">remote</option>
<option value="stolen">stolen</option><option value="mirrored">mirrored</option><option value="notFound">not found</option><option value="refused">refused</option>
</select>
<span id="kinds" role="group" aria-label="Kinds"></span>
<button id="pause" aria-pressed="false" title="The program goes on; the list stands still">Pause</button>
<button id="local" aria-pressed="false" title="Also what stays on this machine; the program is slower meanwhile">Local too</button>
<button id="clear">Clear</button>
<span id="count" role="status"></span>
</header>
<div id="list"><table><thead><tr><th>Time</th><th>What</th><th>Where</th><th>Rule</th><th></th></tr></thead><tbody id="rows"></tbody></table>
<p id="empty">Nothing yet. Run a program with mirrord and use it.</p></div>
<script nonce="${nonce}" src="${at("dist", "activity.js")}"></script>
</body>
</html>`;
}
