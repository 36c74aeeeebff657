// A second client that nobody here wrote: Neovim with its built-in LSP, which knows nothing of us.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { binary, Home } from "../lib/home.js";

const script = fileURLToPath(new URL("../clients/neovim.lua", import.meta.url));
const found = spawnSync("nvim", ["--version"], { encoding: "utf8" });
const skip = found.error ? "neovim is missing; install it with: sudo apt-get install -y neovim" : false;

const files = {
    ".mirrord/mirrord.json": '{ "target": "process/1", "feature": { "env": { "override": { "GREETING": "é😀" } }, "fs": { "mode": "reed" } } }\n',
    ".mirrord/mirrord.yaml": "target: process/1\nfeature:\n    fs:\n        mode: reed\n",
    ".mirrord/mirrord.toml": 'target = "process/1"\n[feature.fs]\nmode = "reed"\n',
};

/** What Neovim saw in a file. */
function edit(home, name) {
    const env = { ...home.env, MIRRORD_SERVER: binary, TERM: "dumb" };
    const done = spawnSync("nvim", ["--headless", "--clean", "-n", "-S", script, name], {
        cwd: home.workspace,
        encoding: "utf8",
        env,
        timeout: 90_000,
    });
    const line = done.stderr.split("\n").find((line) => line.startsWith("{"));
    assert.ok(line, `Neovim ended with ${done.status}: ${done.stdout}${done.stderr}`);
    const { seen, problem } = JSON.parse(line);
    assert.equal(problem, undefined);
    return seen;
}

for (const [name, text] of Object.entries(files)) {
    test(`Neovim gets diagnostics, completion, hover and formatting in ${name}`, { skip, timeout: 120_000 }, async () => {
        const home = new Home({ [name]: text });
        try {
            const seen = edit(home, name);
            assert.equal(seen.wrong.length, 1, JSON.stringify(seen.wrong));
            const [wrong] = seen.wrong;
            // Neovim counts bytes, the protocol UTF-16: the range is right only if both sides convert.
            const line = Buffer.from(text.split("\n")[wrong.row]);
            assert.match(line.subarray(wrong.column, wrong.stop).toString(), /^"?reed"?$/);
            assert.match(wrong.message, /read/);
            for (const label of ["local", "read", "write"]) {
                assert.ok(seen.completion.some((one) => one.includes(label)), JSON.stringify(seen.completion));
            }
            assert.match(seen.hover, /read/i);
            assert.ok(seen.formatted.some((line) => /mode/.test(line) && /read/.test(line)), JSON.stringify(seen.formatted));
        } finally {
            await home.end();
        }
    });
}
