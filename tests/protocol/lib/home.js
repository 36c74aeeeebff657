// A user of their own for each test: home, runtime folder and workspace are fresh, so no daemon,
// session or setting of another test is seen. What is left at the end fails the test.

import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const programs = process.env.MIRRORD_TEST_BIN;
if (!programs) throw new Error("MIRRORD_TEST_BIN names no folder with the built programs");

export const binary = join(programs, "mirrord-server");

export class Home {
    constructor(files = {}) {
        this.folder = mkdtempSync(join(tmpdir(), "mirrord-protocol-"));
        this.workspace = join(this.folder, "workspace");
        this.runtime = join(this.folder, "run");
        for (const folder of [this.workspace, this.runtime, join(this.folder, "home")]) mkdirSync(folder);
        chmodSync(this.runtime, 0o700);
        this.env = {
            PATH: process.env.PATH,
            HOME: join(this.folder, "home"),
            XDG_RUNTIME_DIR: this.runtime,
            XDG_STATE_HOME: join(this.folder, "state"),
            XDG_CONFIG_HOME: join(this.folder, "config"),
            XDG_CACHE_HOME: join(this.folder, "cache"),
            LANG: "C.UTF-8",
        };
        for (const [name, text] of Object.entries(files)) this.write(name, text);
    }

    /** Writes a file of the workspace; returns its URI. */
    write(name, text) {
        const file = join(this.workspace, name);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, typeof text === "string" ? text : JSON.stringify(text, null, 2));
        return pathToFileURL(file).href;
    }

    get workspaceUri() {
        return pathToFileURL(this.workspace).href;
    }

    /** The daemon's socket. */
    get socket() {
        return join(this.runtime, "mirrord-server", "daemon.sock");
    }

    /** Starts the server's program with these arguments. */
    spawn(args, options = {}) {
        return spawn(binary, args, { env: this.env, cwd: this.workspace, ...options });
    }

    /** Runs it to its end. */
    run(...args) {
        const done = spawnSync(binary, args, { env: this.env, cwd: this.workspace, encoding: "utf8", timeout: 60_000 });
        if (done.error) throw done.error;
        return done;
    }

    /** Processes whose runtime folder is this home's. */
    processes() {
        const found = [];
        for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
            try {
                const environment = readFileSync(`/proc/${pid}/environ`, "latin1");
                if (environment.split("\0").includes(`XDG_RUNTIME_DIR=${this.runtime}`)) {
                    found.push({ pid: Number(pid), command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ") });
                }
            } catch {
                // It ended while we looked.
            }
        }
        return found;
    }

    /** Stops what runs, fails when something stays, and removes the folder. */
    async end() {
        try {
            if (existsSync(this.socket)) this.run("daemon", "stop");
            const deadline = Date.now() + 15_000;
            let left = this.processes();
            while (left.length > 0 && Date.now() < deadline) {
                await new Promise((resolve) => setTimeout(resolve, 50));
                left = this.processes();
            }
            for (const { pid } of left) process.kill(pid, "SIGKILL");
            if (left.length > 0) throw new Error(`still running: ${JSON.stringify(left)}`);
        } finally {
            rmSync(this.folder, { recursive: true, force: true });
        }
    }
}
