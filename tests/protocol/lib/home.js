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
        this.children = [];
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
        return join(this.runtime, "mirrord", "daemon.sock");
    }

    /** Runs it to its end, which must be a good one; what it printed. */
    must(...args) {
        const done = this.run(...args);
        if (done.status !== 0) throw new Error(`${args.join(" ")}: ${done.stdout}${done.stderr}`);
        return done.stdout;
    }

    /** Starts a sandbox, which ends with this home; returns its target. */
    sandbox(name = "shop") {
        this.must("sandbox", "up", name);
        return `sandbox/${name}`;
    }

    /** What `daemon status` says; null when none runs. */
    status() {
        const done = this.run("daemon", "status", "--json");
        if (done.status === 3) return null;
        if (done.status !== 0) throw new Error(`no status: ${done.stdout}${done.stderr}`);
        return JSON.parse(done.stdout);
    }

    /** Starts the server's program with these arguments. */
    spawn(args, options = {}) {
        const child = spawn(binary, args, { env: this.env, cwd: this.workspace, ...options });
        this.children.push(child);
        return child;
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
            // Only of a test that failed: others end what they start.
            for (const child of this.children) if (child.exitCode === null) child.kill("SIGKILL");
            if (existsSync(this.socket)) this.run("daemon", "stop");
            if (existsSync(join(this.runtime, "mirrord", "sandboxes"))) this.run("sandbox", "down", "--all");
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
