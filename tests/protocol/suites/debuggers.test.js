// Real debuggers, launched from the returned patch alone, stop inside the session.

import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { test } from "node:test";
import jsonPatch from "fast-json-patch";
import { Client } from "../lib/client.js";
import { Dap } from "../lib/dap.js";
import { Home } from "../lib/home.js";
import { debugpy, delve } from "../lib/tools.js";

/** Prepares a launch configuration and applies the patch, as the editor does. */
async function patched(client, home, target, raw) {
    const prepared = await client.request("mirrord/launch/prepare", {
        workspace: home.workspaceUri,
        launch: {
            name: raw.name,
            kind: "debug",
            adapter: raw.type,
            program: raw.program,
            cwd: home.workspace,
            env: raw.env,
            console: raw.console,
            raw,
        },
        target,
        interactive: false,
        active: true,
    });
    assert.equal(prepared.decision, "inject", JSON.stringify(prepared));
    const launch = jsonPatch.applyPatch(structuredClone(raw), prepared.patch.vscode, true).newDocument;
    return { prepared, launch };
}

function debugging(what, tool, body) {
    test(what, { skip: tool.missing ?? false, timeout: 400_000 }, async () => {
        const home = new Home();
        try {
            const target = home.sandbox();
            const client = Client.stdio(home);
            await client.initialize(home);
            await body({ home, target, client });
            client.ignore("mirrord/status", "mirrord/session/changed", "mirrord/session/event", "mirrord/notify");
            await client.end();
        } finally {
            await home.end();
        }
    });
}

/** The pause and its end as the editor's tracker tells them, then the run to the session's end. */
async function toTheEnd(client, sessionId, dap, pid) {
    await client.request("mirrord/session/subscribe", { sessionId, sinceSeq: 0 });
    await client.request("mirrord/launch/bind", { sessionId, pid });
    await client.request("mirrord/debug/state", { sessionId, pid, state: "paused" });
    const paused = await client.request("mirrord/session/get", { sessionId });
    assert.ok(paused.processes.some((process) => process.pid === pid && process.paused), JSON.stringify(paused));
    await client.expect("mirrord/session/event", { kind: "file", path: "/data/hello.txt", place: "remote" });
    await client.request("mirrord/debug/state", { sessionId, pid, state: "running" });
    await dap.finish();
    const { reason } = await client.expect("mirrord/session/event", { kind: "session", state: "ended" });
    assert.ok(reason);
}

const python = debugpy();
debugging("debugpy stops in a program that reads the pod's file and variable", python, async ({ home, target, client }) => {
    home.write("app.py", [
        "import os",
        "text = open('/data/hello.txt').read().strip()",
        "name = os.environ.get('POD_NAME')",
        "mine = os.environ.get('MINE')",
        "print(text, name, mine)",
        "",
    ].join("\n"));
    const program = `${home.workspace}/app.py`;
    const raw = {
        type: "debugpy",
        request: "launch",
        name: "app",
        program,
        python: ["/usr/bin/python3"],
        cwd: home.workspace,
        env: { MINE: "kept" },
        console: "internalConsole",
    };
    const { prepared, launch } = await patched(client, home, target, raw);
    // Where editors keep it, which stays local: the program loads a part of it.
    const bundled = `${home.env.HOME}/.vscode/extensions/debugpy`;
    cpSync(python.folder, bundled, { recursive: true });
    const dap = Dap.stdio(home, "/usr/bin/python3", ["-m", "debugpy.adapter"], {
        env: { ...home.env, PYTHONPATH: bundled },
        cwd: home.workspace,
    });
    await dap.launch(launch, program, 5);
    assert.equal(await dap.evaluate("text"), "'hello from a file in the pod'");
    assert.equal(await dap.evaluate("name"), "'shop-shop'");
    assert.equal(await dap.evaluate("mine"), "'kept'");
    const pid = Number(await dap.evaluate("os.getpid()"));
    await toTheEnd(client, prepared.sessionId, dap, pid);
});

const go = delve();
debugging("delve stops in a static program that reads the pod's file and variable", go, async ({ home, target, client }) => {
    home.write("go.mod", "module app\n");
    home.write("main.go", [
        "package main",
        "",
        'import "os"',
        "",
        "func main() {",
        '\tbytes, _ := os.ReadFile("/data/hello.txt")',
        "\ttext := string(bytes)",
        '\tname := os.Getenv("POD_NAME")',
        '\tmine := os.Getenv("MINE")',
        "\tpid := os.Getpid()",
        "\tprintln(text, name, mine, pid)",
        "}",
        "",
    ].join("\n"));
    const raw = {
        type: "go",
        request: "launch",
        name: "app",
        mode: "debug",
        program: home.workspace,
        cwd: home.workspace,
        dlvToolPath: go.program,
        env: { MINE: "kept", CGO_ENABLED: "0" },
    };
    const { prepared, launch } = await patched(client, home, target, raw);
    // As the Go extension starts it: this executable, these variables, its own arguments.
    const { HOME } = process.env;
    const env = { ...home.env, HOME, GOFLAGS: "-buildvcs=false" };
    for (const [name, value] of Object.entries(launch.env)) {
        if (value === null) delete env[name];
        else env[name] = value;
    }
    const dap = await Dap.tcp(home, launch.dlvToolPath, ["dap", "--listen=127.0.0.1:0"], { env, cwd: home.workspace });
    await dap.launch(launch, `${home.workspace}/main.go`, 11);
    assert.equal(await dap.evaluate("name"), '"shop-shop"');
    assert.equal(await dap.evaluate("mine"), '"kept"');
    assert.match(await dap.evaluate("text"), /hello from a file in the pod/);
    await toTheEnd(client, prepared.sessionId, dap, Number(await dap.evaluate("pid")));
});
