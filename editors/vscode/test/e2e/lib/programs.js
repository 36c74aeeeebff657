// The test program in each language, with the launch configuration that a user of its debugger has.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const sources = fileURLToPath(new URL("../programs/", import.meta.url));

/** By language, which is also its folder's name: the file, the launch, and what is built beforehand. */
export const languages = {
    node: {
        file: "app.js",
        launch: { type: "node", program: "${workspaceFolder}/node/app.js", skipFiles: ["<node_internals>/**"] },
    },
    python: {
        file: "app.py",
        launch: { type: "debugpy", program: "${workspaceFolder}/python/app.py", python: ["/usr/bin/python3"], console: "internalConsole" },
    },
    c: {
        file: "app.c",
        build: ["cc", "-g", "-O0", "-o", "app", "app.c"],
        launch: { type: "lldb-dap", program: "${workspaceFolder}/c/app", cwd: "${workspaceFolder}/c" },
    },
    go: {
        file: "main.go",
        // Without cgo it is static: no preload reaches it.
        launch: { type: "go", mode: "debug", program: "${workspaceFolder}/go", cwd: "${workspaceFolder}/go", env: { CGO_ENABLED: "0" } },
    },
};

/** Puts the programs into the user's workspace, and `launch.json` beside them. */
export function place(home, ...names) {
    for (const name of names) {
        const folder = join(home.workspace, name);
        cpSync(join(sources, name), folder, { recursive: true });
        const { build } = languages[name];
        if (!build) continue;
        const done = spawnSync(build[0], build.slice(1), { cwd: folder, encoding: "utf8" });
        if (done.error || done.status !== 0) throw new Error(`${build.join(" ")}: ${done.error?.message ?? done.stderr}`);
    }
    configure(home, names.map((name) => ({ name, request: "launch", ...languages[name].launch })));
}

/** Writes `launch.json`. */
export function configure(home, configurations, compounds = []) {
    mkdirSync(join(home.workspace, ".vscode"), { recursive: true });
    writeFileSync(join(home.workspace, ".vscode", "launch.json"), JSON.stringify({ version: "0.2.0", configurations, compounds }, null, 4));
}

/** The number of the line that is marked so in the program. */
export function marked(name, mark) {
    const lines = readFileSync(join(sources, name, languages[name].file), "utf8").split("\n");
    const index = lines.findIndex((line) => new RegExp(`(//|#|/\\*) ${mark}\\b`).test(line));
    if (index < 0) throw new Error(`no line of the ${name} program is marked ${mark}`);
    return index + 1;
}
