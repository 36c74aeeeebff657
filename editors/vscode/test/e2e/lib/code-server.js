// VS Code's server and extension host, of one test user.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { codeServer, extensions } from "./places.js";
import { until } from "./wait.js";

const SETTINGS = {
    "workbench.startupEditor": "none",
    "workbench.colorTheme": "Default Dark Modern",
    "workbench.enableExperiments": false,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": true,
    "extensions.autoUpdate": false,
    "extensions.autoCheckUpdates": false,
    "typescript.disableAutomaticTypeAcquisition": true,
    "debug.terminal.clearBeforeReusing": true,
    "git.enabled": false,
    "telemetry.telemetryLevel": "off",
};

const FLAGS = [
    ...["--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"],
    "--disable-getting-started-override",
    // Its default of three hours keeps extension hosts of closed windows, and what they hold.
    ...["--reconnection-grace-time", "5"],
];

/** A port that nobody listens on. */
async function freePort() {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    return port;
}

export class CodeServer {
    /** Starts it for this user and waits until it answers. */
    static async start(home, settings = {}) {
        const server = new CodeServer();
        server.home = home;
        server.user = join(home.folder, "code");
        server.record = join(home.folder, "adapters.jsonl");
        server.log = join(home.folder, "code-server.log");
        writeFileSync(server.record, "");
        mkdirSync(join(server.user, "User"), { recursive: true });
        writeFileSync(join(server.user, "User", "settings.json"), JSON.stringify({ ...SETTINGS, ...settings }));
        server.url = `http://127.0.0.1:${await freePort()}`;
        const places = [
            ...["--bind-addr", server.url.slice("http://".length), "--user-data-dir", server.user],
            ...["--extensions-dir", extensions, "--config", join(home.folder, "code-server.yaml")],
        ];
        // As if started from a shell: else the login shell of this machine's user says what PATH is.
        const env = { ...home.env, ...debuggers(), VSCODE_CLI: "1", MIRRORD_E2E_RECORD: server.record };
        server.child = spawn(process.execPath, [codeServer, ...FLAGS, ...places], { env, cwd: home.workspace, stdio: ["ignore", "pipe", "pipe"] });
        home.children.push(server.child);
        server.printed = "";
        for (const stream of [server.child.stdout, server.child.stderr]) stream.on("data", (bytes) => (server.printed += bytes));
        server.ended = once(server.child, "exit");
        await until("code-server to answer", () => server.answers());
        return server;
    }

    async answers() {
        if (this.child.exitCode !== null) throw new Error(`code-server ended: ${this.printed}`);
        return fetch(`${this.url}/healthz`).then((answer) => answer.ok, () => false);
    }

    /** What the debug adapters said: `{at, what, session, …}`, oldest first. */
    recorded() {
        return readFileSync(this.record, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
    }

    /** Waits for something that a debug adapter says. */
    said(what, holds) {
        return until(what, () => this.recorded().find(holds));
    }

    /** Ends it with its extension hosts: one that is left would start the daemon again. */
    async stop() {
        this.child.kill("SIGTERM");
        await this.ended;
        const tools = codeServer.slice(0, codeServer.indexOf("node_modules"));
        await until("the end of the extension hosts", () => !this.home.processes().some(({ command }) => command.startsWith(tools)));
    }
}

/** What the test adapters and the compilers that they start need to know. */
function debuggers() {
    const names = ["MIRRORD_E2E_DELVE", "GOCACHE", "GOFLAGS"];
    return Object.fromEntries(names.filter((name) => process.env[name]).map((name) => [name, process.env[name]]));
}
