// Launching as an editor does: prepare, apply what is returned, spawn, bind.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

export const app = fileURLToPath(new URL("../programs/app.py", import.meta.url));
export const python = "/usr/bin/python3";

/** The params of a `prepare` that runs `argv`. */
export function launch(home, argv, more = {}) {
    return {
        workspace: home.workspaceUri,
        launch: {
            name: "app",
            kind: "run",
            program: argv[0],
            args: argv.slice(1),
            cwd: home.workspace,
            env: {},
        },
        interactive: false,
        active: true,
        ...more,
    };
}

/** A program that runs with the neutral fields of a prepared launch. */
export class Debuggee {
    constructor(home, prepared, argv) {
        const env = { PATH: home.env.PATH, ...prepared.env.set };
        for (const name of prepared.env.unset ?? []) delete env[name];
        const [program, ...args] = [...(prepared.argv?.prefix ?? []), ...(prepared.argv?.args ?? argv)];
        this.child = spawn(program, args, { env, cwd: home.workspace, stdio: ["ignore", "pipe", "pipe"] });
        home.children.push(this.child);
        this.pid = this.child.pid;
        this.stdout = "";
        this.stderr = "";
        this.waiting = [];
        for (const name of ["stdout", "stderr"]) {
            this.child[name].on("data", (bytes) => {
                this[name] += bytes;
                this.wake();
            });
        }
        this.ended = new Promise((resolve) => {
            this.child.on("close", (code, signal) => {
                this.over = code ?? signal;
                this.wake();
                resolve(this.over);
            });
        });
    }

    wake() {
        this.waiting.splice(0).forEach((wake) => wake());
    }

    /** Waits until it has printed this. */
    async printed(text, patience = 30_000) {
        const timer = setTimeout(() => {
            this.late = true;
            this.wake();
        }, patience);
        try {
            while (!this.stdout.includes(text)) {
                if (this.late || this.over !== undefined) {
                    throw new Error(`no ${text} from a program that ended with ${this.over}: ${this.stdout}${this.stderr}`);
                }
                await new Promise((wake) => this.waiting.push(wake));
            }
        } finally {
            clearTimeout(timer);
        }
    }
}
