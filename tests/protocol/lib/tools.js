// Debuggers from their package registries, installed once into the user's cache, as the end-to-end
// tests of this repository do it too.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const DEBUGPY = "1.8.17";
const DELVE = "v1.27.2";

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "mirrord-tests", "tools");

function install(file, command, args, env) {
    if (existsSync(file)) return undefined;
    mkdirSync(cache, { recursive: true });
    const done = spawnSync(command, args, { encoding: "utf8", env: { ...process.env, ...env } });
    if (done.error || done.status !== 0) {
        return `could not install ${file}: ${done.error?.message ?? done.stderr.trim().split("\n").at(-1)}`;
    }
    return undefined;
}

/** The folder to import debugpy from, or why it cannot be had. */
export function debugpy() {
    const folder = join(cache, `debugpy-${DEBUGPY}`);
    const missing = install(join(folder, "debugpy", "__init__.py"), "/usr/bin/python3", [
        ...["-m", "pip", "-q", "install", "--disable-pip-version-check", "--root-user-action=ignore"],
        ...[`debugpy==${DEBUGPY}`, "--target", folder],
    ]);
    return { folder, missing };
}

/** Delve's executable, or why it cannot be had. */
export function delve() {
    const folder = join(cache, `delve-${DELVE}`);
    const program = join(folder, "dlv");
    const missing = install(program, "go", ["install", `github.com/go-delve/delve/cmd/dlv@${DELVE}`], { GOBIN: folder });
    return { program, missing };
}
