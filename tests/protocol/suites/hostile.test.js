// Whoever misbehaves harms nobody else: meanwhile another client is answered as ever.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { Client } from "../lib/client.js";
import { Home } from "../lib/home.js";
import { Raw } from "../lib/raw.js";

const OTHER_VERSION = "99.0.0";

/** Runs beside a client that must be answered within this time all along. */
const SOON_MS = 5_000;

function besideAnother(what, body) {
    test(what, { timeout: 180_000 }, async () => {
        const home = new Home({ ".mirrord/mirrord.json": "{}" });
        try {
            const other = Client.stdio(home);
            await other.initialize(home);
            const answered = async () => {
                const started = Date.now();
                const { files } = await other.request("mirrord/config/list", { workspace: home.workspaceUri });
                assert.equal(files.length, 1);
                const took = Date.now() - started;
                assert.ok(took < SOON_MS, `the other client waited ${took} ms`);
            };
            await answered();
            const { pid } = home.status();
            await body(home, answered, other);
            await answered();
            assert.equal(home.status().pid, pid, "the daemon is the same");
            await other.end();
        } finally {
            await home.end();
        }
    });
}

/** Resident memory of the daemon, in MiB. */
async function memory(home) {
    const { readFileSync } = await import("node:fs");
    const status = readFileSync(`/proc/${home.status().pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) / 1024;
}

test("50 forwarders at the same instant make one daemon", { timeout: 180_000 }, async () => {
    const home = new Home();
    try {
        const clients = Array.from({ length: 50 }, () => Client.stdio(home));
        await Promise.all(clients.map((client) => client.initialize(home)));
        assert.equal(home.status().clients, 50);
        const daemons = home.processes().filter(({ command }) => command.includes("@daemon"));
        assert.equal(daemons.length, 1, JSON.stringify(daemons));
        assert.equal(daemons[0].pid, home.status().pid);
        await Promise.all(clients.map((client) => client.end()));
    } finally {
        await home.end();
    }
});

besideAnother("garbage is hung up on", async (home, answered) => {
    const garbage = [
        "hello\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "Content-Length: many\r\n\r\n{}",
        `X: ${"y".repeat(20_000)}`,
        Buffer.from(Array.from({ length: 16_384 }, (_, index) => (index * 7919) % 256)),
        "{\"ask\":\"nothing\"}\n",
        "{".repeat(10_000),
    ];
    for (const bytes of garbage) {
        const raw = await Raw.socket(home);
        await raw.write(bytes);
        await answered();
        await raw.hungUp();
        await raw.close();
    }
});

besideAnother("a message that is not JSON spoils itself only", async (home, answered) => {
    const raw = Raw.stdio(home);
    await raw.initialize(home);
    await raw.write("Content-Length: 3\r\n\r\n{x}");
    const spoilt = await raw.until(() => raw.heard.find((message) => message.error), "an error");
    assert.equal(spoilt.id, null);
    assert.equal(spoilt.error.code, -32700);
    await raw.send({ id: 1, method: "mirrord/session/list", params: {} });
    await raw.answer(1);
    await answered();
    await raw.close();
});

besideAnother("half a message, and then nothing or the end", async (home, answered) => {
    const silent = await Raw.socket(home);
    await silent.write("Content-Length: 100\r\n\r\n{\"jsonrpc\":");
    const cut = await Raw.socket(home);
    await cut.write("Content-Len");
    await cut.close();
    await answered();
    const forwarded = Raw.stdio(home);
    await forwarded.write("Content-Length: 100\r\n\r\n{\"jsonrpc\":");
    await forwarded.close();
    await answered();
    await silent.close();
});

besideAnother("a length of 1 GB is refused at once, and takes no memory", async (home, answered) => {
    const before = await memory(home);
    const raw = Raw.stdio(home);
    await raw.write(`Content-Length: ${1 << 30}\r\n\r\n`);
    const refused = await raw.until(() => raw.heard.find((message) => message.error), "an error");
    assert.match(refused.error.message, /1073741824/);
    await raw.hungUp();
    await raw.ended;
    await answered();
    // What a limit lets through is not reserved either.
    const many = await Promise.all(Array.from({ length: 20 }, () => Raw.socket(home)));
    for (const one of many) await one.write(`Content-Length: ${31 << 20}\r\n\r\n{`);
    await answered();
    const after = await memory(home);
    assert.ok(after - before < 30, `${before} MiB, then ${after} MiB`);
    for (const one of many) await one.close();
});

besideAnother("a client that never reads is dropped", async (home, answered) => {
    const before = await memory(home);
    const socket = connect(home.socket);
    await once(socket, "connect");
    socket.on("error", () => {});
    socket.pause();
    const frame = (message) => {
        const body = JSON.stringify({ jsonrpc: "2.0", ...message });
        return `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    };
    socket.write(frame({ id: 0, method: "initialize", params: { processId: null, rootUri: null, capabilities: {} } }));
    socket.write(frame({ method: "initialized", params: {} }));
    let gone = false;
    socket.on("close", () => (gone = true));
    // Large answers, until nobody takes more questions: a completion of everything there is.
    const text = `{\n${"  \n".repeat(20)}}`;
    const uri = `${home.workspaceUri}/.mirrord/mirrord.json`;
    socket.write(frame({ method: "textDocument/didOpen", params: { textDocument: { uri, languageId: "json", version: 1, text } } }));
    const deadline = Date.now() + 60_000;
    for (let id = 1; !gone && Date.now() < deadline; id += 1) {
        const taken = socket.write(frame({ id, method: "textDocument/completion", params: { textDocument: { uri }, position: { line: 2, character: 1 } } }));
        if (id % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        if (!taken && id % 500 === 0) await answered();
    }
    assert.ok(gone, "the daemon still holds the client that does not read");
    const after = await memory(home);
    // 64 MiB may wait for one client, and the allocator keeps something around them.
    assert.ok(after - before < 110, `${before} MiB, then ${after} MiB`);
});

/** The daemon's answer to one line. */
async function greet(home, ask) {
    const socket = connect(home.socket);
    await once(socket, "connect");
    socket.write(`${JSON.stringify(ask)}\n`);
    const [answer] = await once(socket, "data");
    socket.destroy();
    return JSON.parse(answer.toString());
}

test("a daemon of another version hands over when it is idle, and says who uses it when it is not", { timeout: 60_000 }, async () => {
    const home = new Home();
    try {
        const client = Client.stdio(home);
        await client.initialize(home);
        const first = home.status();
        const busy = await greet(home, { ask: "serve", version: OTHER_VERSION });
        assert.deepEqual(busy, { answer: "otherVersion", version: first.version, busy: "1 client and 0 sessions" });
        await client.end();
        while (home.status().clients > 0) await new Promise((resolve) => setTimeout(resolve, 20));
        const idle = await greet(home, { ask: "serve", version: OTHER_VERSION });
        assert.deepEqual(idle, { answer: "handedOver", version: first.version });
        const next = Client.stdio(home);
        await next.initialize(home);
        assert.notEqual(home.status().pid, first.pid);
        await next.end();
    } finally {
        await home.end();
    }
});

test("daemon status and stop say what is, and start nothing", { timeout: 60_000 }, async () => {
    const home = new Home();
    try {
        assert.equal(home.run("daemon", "status").status, 3);
        assert.equal(home.run("daemon", "stop").status, 0);
        assert.deepEqual(home.processes(), []);
        const client = Client.stdio(home);
        await client.initialize(home);
        const status = home.status();
        assert.equal(status.clients, 1);
        assert.equal(status.sessions, 0);
        assert.match(home.run("daemon", "status").stdout, /clients {3}1\n/);
        home.must("daemon", "stop");
        assert.equal(await client.exited, 75);
        client.finish();
        assert.equal(home.run("daemon", "status").status, 3);
    } finally {
        await home.end();
    }
});
