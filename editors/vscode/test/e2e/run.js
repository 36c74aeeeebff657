// Runs the suites: installs what they drive, puts the extensions into a folder as a user's editor does,
// and starts Node's test runner. `node run.js [--vsix FILE] [--only TEXT] [SUITE…]`, with
// MIRRORD_TEST_BIN naming the folder of the built programs. The suite `figures` measures (figures.js).
//
// MIRRORD_E2E_MEDIA names a folder for the pictures of the README; without it none are made.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { debugpy, delve } from "../../../../tests/protocol/lib/tools.js";
import { binaries, install } from "./install.js";

const here = fileURLToPath(new URL(".", import.meta.url));
const { values, positionals } = parseArgs({
    options: { vsix: { type: "string" }, only: { type: "string" } },
    allowPositionals: true,
});

function must(what, tool) {
    if (tool.missing) throw new Error(`${what}: ${tool.missing}`);
    return tool;
}

/** Installs the extensions as a user does, the adapters from their folder. */
function extensions(tools, folder, env) {
    mkdirSync(folder);
    const adapters = join(folder, "tests.real-adapters-1.0.0");
    cpSync(join(here, "adapters"), adapters, { recursive: true });
    // It comes with its extension, and the debuggee loads a part of it.
    cpSync(must("debugpy", debugpy()).folder, join(adapters, "bundled"), { recursive: true });
    if (!values.vsix) return folder;
    const entry = join(tools, "node_modules", "code-server", "out", "node", "entry.js");
    const done = spawnSync(
        join(binaries(tools), "node"),
        [entry, "--user-data-dir", join(folder, "..", "user"), "--extensions-dir", folder, "--install-extension", resolve(values.vsix)],
        { env, encoding: "utf8" },
    );
    if (done.status !== 0) throw new Error(`${values.vsix} could not be installed: ${done.stdout}${done.stderr}`);
    return folder;
}

function suites() {
    if (positionals[0] === "figures") return [join(here, "figures.js")];
    const all = readdirSync(join(here, "suites")).filter((name) => name.endsWith(".test.js"));
    const wanted = positionals.length === 0 ? all : all.filter((name) => positionals.includes(name.replace(".test.js", "")));
    if (wanted.length === 0) throw new Error(`no suite is called ${positionals.join(" or ")}`);
    return wanted.map((name) => join(here, "suites", name));
}

if (!process.env.MIRRORD_TEST_BIN) throw new Error("MIRRORD_TEST_BIN names no folder with the built programs");
const tools = install();
const folder = mkdtempSync(join(tmpdir(), "mirrord-code-"));
try {
    const env = {
        ...process.env,
        PATH: [binaries(tools), process.env.PATH].join(delimiter),
        MIRRORD_E2E_TOOLS: tools,
        MIRRORD_E2E_DELVE: must("delve", delve()).program,
        MIRRORD_E2E_FAILURES: process.env.MIRRORD_E2E_FAILURES ?? join(tmpdir(), "mirrord-vscode-failures"),
        // Go programs are built by delve; a test's user has an empty home.
        GOCACHE: join(tools, "go-build"),
        GOFLAGS: "-buildvcs=false",
    };
    env.MIRRORD_E2E_EXTENSIONS = extensions(tools, join(folder, "extensions"), env);
    const only = values.only ? [`--test-name-pattern=${values.only}`] : [];
    const done = spawnSync(
        join(binaries(tools), "node"),
        ["--test", "--test-concurrency=1", "--test-reporter=tap", ...only, ...suites()],
        { env, stdio: "inherit" },
    );
    if (done.error) throw done.error;
    process.exitCode = done.status ?? 1;
} finally {
    rmSync(folder, { recursive: true, force: true });
}
