// Sessions, whole: a client with nothing but `--stdio` prepares, launches with what is returned,
// binds, and watches; editors and daemons die meanwhile.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Client } from "../lib/client.js";
import { app, Debuggee, launch, python } from "../lib/debuggee.js";
import { Home } from "../lib/home.js";

const PATIENCE = 20_000;
const stealing = { ".mirrord/mirrord.json": { feature: { network: { incoming: "steal" } } } };

/** A test with a user, a sandbox and a client. */
function inSandbox(what, body) {
    test(what, { timeout: 180_000 }, async () => {
        const home = new Home(stealing);
        try {
            const target = home.sandbox();
            const client = Client.stdio(home);
            await client.initialize(home);
            await body({ home, target, client });
        } finally {
            await home.end();
        }
    });
}

/** Views of all sessions and the status item are not what these tests are about. */
function leave(client) {
    client.ignore("mirrord/status", "mirrord/session/changed", "mirrord/session/event", "mirrord/notify");
    return client.end();
}

const prepare = (client, home, target, argv = [python, app], more = {}) =>
    client.request("mirrord/launch/prepare", launch(home, argv, { target, ...more }));

/** A request of somebody in the pod. */
const askPod = (home, path = "/") => home.must("sandbox", "exec", "shop", "--", "curl", "-sS", `http://10.77.1.2:8080${path}`);

async function until(what, holds) {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
        const found = await holds();
        if (found) return found;
        assert.ok(Date.now() < deadline, `waited for ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}

const sessions = async (client) => (await client.request("mirrord/session/list", {})).sessions;
const agents = async (client) => (await client.request("mirrord/agent/list", {})).agents;

function isAlive(pid) {
    try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        return !/\) [ZX]/.test(stat);
    } catch {
        return false;
    }
}

/** The session's last event. */
const ended = (client, sessionId) => client.expect("mirrord/session/event", { sessionId, kind: "session", state: "ended" });

inSandbox("prepare, launch, bind, see a remote file and a stolen request, and receive ended", async ({ home, target, client }) => {
    const own = askPod(home);
    const prepared = await prepare(client, home, target);
    assert.equal(prepared.decision, "inject");
    assert.equal(prepared.target, target);
    assert.ok(new Date(prepared.expiresAt) > new Date());
    // No value of the pod's travels in what editors show and log.
    assert.doesNotMatch(JSON.stringify(prepared), /s3cret|hello from/);
    const { sessionId } = prepared;
    assert.equal((await client.request("mirrord/session/get", { sessionId })).state, "ready");
    await client.request("mirrord/session/subscribe", { sessionId, sinceSeq: 0 });

    const debuggee = new Debuggee(home, prepared, [python, app]);
    assert.deepEqual(await client.request("mirrord/launch/bind", { sessionId, pid: debuggee.pid }), {});
    assert.deepEqual(await client.request("mirrord/launch/bind", { sessionId, pid: debuggee.pid }), {});
    await client.expect("mirrord/session/event", { sessionId, kind: "process", state: "started", pid: debuggee.pid });
    await debuggee.printed("listening");
    assert.match(debuggee.stdout, /^file hello from a file in the pod$/m);
    assert.match(debuggee.stdout, /^variable shop-shop$/m);

    await client.expect("mirrord/session/event", { kind: "file", path: "/data/hello.txt", place: "remote", rule: { $type: "string" } });
    await client.expect("mirrord/session/event", { kind: "listen", port: 8080, mode: "steal", rule: { $type: "string" } });
    assert.equal(askPod(home, "/stolen"), `local ${debuggee.pid} /stolen\n`);
    await client.expect("mirrord/session/event", { kind: "incoming", port: 8080, mode: "steal" });

    const running = await client.request("mirrord/session/get", { sessionId });
    assert.equal(running.state, "running");
    assert.ok(running.processes.some(({ pid, bound }) => pid === debuggee.pid && bound), JSON.stringify(running));
    assert.deepEqual(running.ports.map(({ port, mode }) => [port, mode]), [[8080, "steal"]]);
    const status = await client.request("mirrord/agent/status", { sessionId });
    assert.equal(status.phase, "serving");
    const logs = await client.request("mirrord/session/logs", { sessionId });
    assert.ok(logs.lines.length > 0);

    const stopped = await client.request("mirrord/session/stop", { sessionId, graceMs: 1000 });
    assert.ok(stopped.reason);
    const last = await ended(client, sessionId);
    assert.ok(last.reason);
    await debuggee.ended;
    const toAnyPort = (text) => text.replace(/^(peer: .*):\d+$/m, "$1");
    assert.equal(toAnyPort(askPod(home)), toAnyPort(own), "the pod's own program answers again");
    assert.deepEqual(await sessions(client), []);
    await leave(client);
});

inSandbox("a session ends with its last process", async ({ home, target, client }) => {
    const argv = [python, app, "once"];
    const prepared = await prepare(client, home, target, argv);
    const { sessionId } = prepared;
    await client.request("mirrord/session/subscribe", { sessionId });
    const debuggee = new Debuggee(home, prepared, argv);
    await client.request("mirrord/launch/bind", { sessionId, pid: debuggee.pid });
    assert.equal(await debuggee.ended, 0, debuggee.stderr);
    const last = await ended(client, sessionId);
    assert.ok(last.reason, JSON.stringify(last));
    assert.deepEqual(await until("an empty list", async () => (await sessions(client)).length === 0 && []), []);
    await leave(client);
});

inSandbox("two clients see the same session, and its events in the same order", async ({ home, target, client }) => {
    const other = Client.stdio(home);
    await other.initialize(home);
    const prepared = await prepare(client, home, target);
    const { sessionId } = prepared;
    await other.expect("mirrord/session/changed", { session: { sessionId, state: "ready" } });
    await client.expect("mirrord/session/changed", { session: { sessionId, state: "ready" } });
    for (const one of [client, other]) {
        const subscribed = await one.request("mirrord/session/subscribe", { sessionId, sinceSeq: 0 });
        assert.equal(subscribed.session.sessionId, sessionId);
    }
    const debuggee = new Debuggee(home, prepared, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId, pid: debuggee.pid });
    await debuggee.printed("listening");
    await other.expect("mirrord/session/changed", { session: { sessionId, state: "running" } });
    await other.request("mirrord/session/stop", { sessionId });
    const [one, two] = await Promise.all([client, other].map((each) => ended(each, sessionId)));
    assert.deepEqual(one, two);
    const seen = [client, other].map((each) =>
        each.received.filter(({ method }) => method === "mirrord/session/event").map(({ params }) => params.seq),
    );
    assert.deepEqual(seen[0], seen[1]);
    assert.ok(seen[0].length > 3);
    assert.deepEqual(seen[0], [...seen[0]].sort((a, b) => a - b));
    await other.expect("mirrord/session/changed", { session: { sessionId, state: "ended" } });
    await leave(other);
    await leave(client);
});

inSandbox("an editor that is killed leaves the session running, and another one finds it", async ({ home, target, client }) => {
    const prepared = await prepare(client, home, target);
    const { sessionId } = prepared;
    await client.request("mirrord/session/subscribe", { sessionId, sinceSeq: 0 });
    const debuggee = new Debuggee(home, prepared, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId, pid: debuggee.pid });
    await debuggee.printed("listening");
    const { seq } = await client.expect("mirrord/session/event", { kind: "listen" });
    client.kill();
    assert.match(askPod(home, "/while-nobody-looks"), /^local /);

    const next = Client.stdio(home);
    await next.initialize(home);
    const [found] = await sessions(next);
    assert.equal(found.sessionId, sessionId);
    assert.equal(found.state, "running");
    await next.request("mirrord/session/subscribe", { sessionId, sinceSeq: seq + 1 });
    const missed = await next.expect("mirrord/session/event", { kind: "incoming" });
    assert.ok(missed.seq > seq);
    const again = next.received.filter(({ params }) => params.sessionId === sessionId && params.seq <= seq);
    assert.deepEqual(again, [], "what the client had does not come again");
    await next.request("mirrord/session/stop", { sessionId });
    await debuggee.ended;
    await leave(next);
});

inSandbox("a session that the connection owns ends with it", async ({ home, target, client }) => {
    const other = Client.stdio(home);
    await other.initialize(home);
    const prepared = await prepare(client, home, target, [python, app], { ownedBy: "connection" });
    const debuggee = new Debuggee(home, prepared, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId: prepared.sessionId, pid: debuggee.pid });
    await debuggee.printed("listening");
    client.kill();
    await until("the session's end", async () => (await sessions(other)).length === 0);
    await debuggee.ended;
    await leave(other);
});

inSandbox("a session that nobody uses expires, and keep and abort say otherwise", async ({ home, target, client }) => {
    // The command line takes a shorter time than the minute of `prepare`.
    const short = JSON.parse(home.must("session", "prepare", "--target", target, "--expires-ms", "3000"));
    await client.request("mirrord/session/subscribe", { sessionId: short.sessionId });
    const last = await ended(client, short.sessionId);
    assert.match(last.reason, /\S/);

    const prepared = await prepare(client, home, target);
    const before = new Date(prepared.expiresAt);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const kept = await client.request("mirrord/launch/keep", { sessionId: prepared.sessionId });
    assert.ok(new Date(kept.expiresAt) - before > 500, `${prepared.expiresAt}, then ${kept.expiresAt}`);
    assert.deepEqual(await client.request("mirrord/launch/abort", { sessionId: prepared.sessionId }), {});
    assert.deepEqual(await sessions(client), []);
    await leave(client);
});

inSandbox("a restart reads the configuration again and finds its agent warm", async ({ home, target, client }) => {
    const prepared = await prepare(client, home, target);
    const first = new Debuggee(home, prepared, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId: prepared.sessionId, pid: first.pid });
    await first.printed("listening");
    const [serving] = await agents(client);
    assert.equal(serving.phase, "serving");
    home.write(".mirrord/mirrord.json", { feature: { network: { incoming: "off" } } });

    const again = await client.request("mirrord/session/restart", { sessionId: prepared.sessionId });
    assert.equal(again.decision, "inject");
    assert.notEqual(again.sessionId, prepared.sessionId);
    assert.notEqual(again.env.set.MIRRORD_LAUNCH_TOKEN, prepared.env.set.MIRRORD_LAUNCH_TOKEN);
    await first.ended;
    const second = new Debuggee(home, again, [python, app]);
    await client.request("mirrord/session/subscribe", { sessionId: again.sessionId, sinceSeq: 0 });
    await client.request("mirrord/launch/bind", { sessionId: again.sessionId, pid: second.pid });
    await second.printed("listening");
    await client.expect("mirrord/session/event", { sessionId: again.sessionId, kind: "listen", mode: "off" });
    await client.request("mirrord/session/stop", { sessionId: again.sessionId });
    await second.ended;

    const [warm] = await until("a warm agent", async () => {
        const list = await agents(client);
        return list[0]?.phase === "warm" && list;
    });
    assert.equal(warm.target, target);
    assert.ok(warm.expiresAt);
    assert.deepEqual(await client.request("mirrord/agent/stop", { agentId: warm.agentId }), {});
    assert.deepEqual(await agents(client), []);
    await leave(client);
});

inSandbox("an agent that outlives its first session is the daemon's, which waits for its end", async ({ home, target, client }) => {
    for (let count = 0; count < 2; count += 1) {
        const { sessionId } = await prepare(client, home, target);
        await client.request("mirrord/launch/abort", { sessionId });
    }
    const [agent] = home.processes().filter(({ command }) => command.includes("mirrord-agent"));
    const parent = () => Number(readFileSync(`/proc/${agent.pid}/stat`, "utf8").split(") ")[1].split(" ")[1]);
    await until("the agent to be the daemon's", () => parent() === home.status().pid);
    const [warm] = await agents(client);
    await client.request("mirrord/agent/stop", { agentId: warm.agentId });
    // Also a process that ended is seen there, until somebody has waited for it.
    await until("the agent to be waited for", () => !existsSync(`/proc/${agent.pid}`));
    await leave(client);
});

inSandbox("a rule is changed while the program runs, and the edit that keeps it is told", async ({ home, target, client }) => {
    const prepared = await prepare(client, home, target);
    const { sessionId } = prepared;
    const debuggee = new Debuggee(home, prepared, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId, pid: debuggee.pid });
    await debuggee.printed("listening");
    assert.match(askPod(home), /^local /);
    const changed = await client.request("mirrord/session/rule", { sessionId, subject: "port", value: "8080", action: "off" });
    assert.ok(changed.rule && changed.key.length > 0, JSON.stringify(changed));
    await until("the pod's own answer", () => !askPod(home).startsWith("local "));
    const path = await client.request("mirrord/session/rule", { sessionId, subject: "path", value: "/data/mine", action: "local" });
    assert.deepEqual(path.key.slice(0, 2), ["feature", "fs"]);
    assert.ok(JSON.stringify(path.edit).includes(`${home.workspaceUri}/.mirrord/mirrord.json`), JSON.stringify(path));
    await client.request("mirrord/session/stop", { sessionId });
    await debuggee.ended;
    await leave(client);
});

inSandbox("two processes share one session, which ends with the second", async ({ home, target, client }) => {
    const prepared = await prepare(client, home, target);
    const { sessionId } = prepared;
    await client.request("mirrord/session/subscribe", { sessionId, sinceSeq: 0 });
    const server = new Debuggee(home, prepared, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId, pid: server.pid });
    await server.printed("listening");
    const second = new Debuggee(home, prepared, [python, app, "once"]);
    await client.request("mirrord/launch/bind", { sessionId, pid: second.pid });
    assert.equal(await second.ended, 0, second.stderr);
    assert.match(second.stdout, /^file hello from a file in the pod$/m);
    await client.expect("mirrord/session/event", { kind: "process", state: "ended", pid: second.pid });
    assert.equal((await client.request("mirrord/session/get", { sessionId })).state, "running");
    assert.match(askPod(home), /^local /);
    process.kill(server.pid, "SIGTERM");
    await ended(client, sessionId);
    await leave(client);
});

inSandbox("a daemon that is killed and started again finds the session", async ({ home, target, client }) => {
    const prepared = await prepare(client, home, target);
    const { sessionId } = prepared;
    const debuggee = new Debuggee(home, prepared, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId, pid: debuggee.pid });
    await debuggee.printed("listening");
    process.kill(home.status().pid, "SIGKILL");
    assert.equal(await client.exited, 75);
    assert.match(askPod(home), /^local /);

    const next = Client.stdio(home);
    await next.initialize(home);
    const [found] = await sessions(next);
    assert.equal(found.sessionId, sessionId);
    assert.equal(found.state, "running");
    await next.request("mirrord/session/subscribe", { sessionId, sinceSeq: 0 });
    await next.expect("mirrord/session/event", { kind: "file", path: "/data/hello.txt" });
    await next.request("mirrord/session/stop", { sessionId });
    await ended(next, sessionId);
    await debuggee.ended;
    await leave(next);
});

inSandbox("a session that dies ends its debuggee with a reason", async ({ home, target, client }) => {
    const prepared = await prepare(client, home, target);
    const { sessionId } = prepared;
    const debuggee = new Debuggee(home, prepared, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId, pid: debuggee.pid });
    await debuggee.printed("listening");
    await client.request("mirrord/session/subscribe", { sessionId });
    const session = home.processes().find(({ command }) => command.includes("@session"));
    process.kill(session.pid, "SIGKILL");
    await until("the debuggee's end", () => !isAlive(debuggee.pid));
    await debuggee.ended;
    assert.match(debuggee.stderr, /mirrord/, "the debuggee's terminal says why");
    await until("an empty list", async () => (await sessions(client)).length === 0);
    assert.doesNotMatch(askPod(home), /^local /);
    await leave(client);
});

inSandbox("environment that is stale is inert", async ({ home, target, client }) => {
    const prepared = await prepare(client, home, target);
    await client.request("mirrord/launch/abort", { sessionId: prepared.sessionId });
    const argv = ["/bin/cat", "/data/hello.txt"];
    const plain = new Debuggee(home, prepared, argv);
    assert.notEqual(await plain.ended, 0);
    assert.match(plain.stderr, /mirrord/);
    assert.match(plain.stderr, /No such file/, "it ran plain");
    prepared.env.set.MIRRORD_WITHOUT_SESSION = "stop";
    const stopped = new Debuggee(home, prepared, argv);
    assert.notEqual(await stopped.ended, 0);
    assert.match(stopped.stderr, /mirrord/);
    assert.doesNotMatch(stopped.stderr, /No such file/, "it did not run");
    await leave(client);
});

inSandbox("who gets the pod's traffic is proven, once the user agreed", async ({ home, target, client }) => {
    const prepared = await prepare(client, home, target);
    const { sessionId } = prepared;
    const debuggee = new Debuggee(home, prepared, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId, pid: debuggee.pid });
    await debuggee.printed("listening");
    const proof = await client.request("mirrord/session/proveIncoming", { sessionId, confirmed: true });
    assert.ok(proof.requests.some(({ answeredBy }) => answeredBy === "local"), JSON.stringify(proof));
    assert.ok(proof.requests.every(({ matching }) => matching), JSON.stringify(proof));
    assert.match(proof.note, /without a filter/);
    const refused = await client.failing("mirrord/session/proveIncoming", { sessionId, confirmed: false });
    assert.equal(refused.data.kind, "forbidden");
    await client.request("mirrord/session/stop", { sessionId });
    await debuggee.ended;
    await leave(client);
});

/** The file that an edit makes. */
function made(edit) {
    const [create, change] = edit.documentChanges;
    assert.equal(create.kind, "create");
    assert.equal(create.uri, change.textDocument.uri);
    return { uri: create.uri, text: change.edits[0].newText };
}

inSandbox("the least configuration of a session runs the same program again, and nothing more", async ({ home, target, client }) => {
    home.write(".mirrord/mirrord.json", {
        feature: { network: { incoming: "steal" }, env: { override: { DB_PASSWORD: "hunter2", COLOUR: "green" } } },
    });
    const prepared = await prepare(client, home, target);
    const { sessionId } = prepared;
    const debuggee = new Debuggee(home, prepared, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId, pid: debuggee.pid });
    await debuggee.printed("listening");
    assert.match(askPod(home), /^local /);

    const least = await until("the connection's event", async () => {
        const found = await client.request("mirrord/config/fromSession", { sessionId, format: "yaml" });
        return found.reasons.some(({ why }) => why.includes("1 connection")) && found;
    });
    const { uri, text } = made(least.edit);
    assert.equal(text, least.text);
    assert.match(uri, /\/workspace\/\.mirrord\/[a-z0-9-]+\.mirrord\.yaml$/);
    assert.doesNotMatch(JSON.stringify(least), /hunter2/);
    assert.ok(least.notes.some((note) => note.includes("secret")), JSON.stringify(least.notes));
    for (const line of ["target: sandbox/shop", "mode: localwithoverrides", "mode: steal", "COLOUR: green", "tcp: false"]) {
        assert.ok(text.includes(line), `${line} is in\n${text}`);
    }
    // Every key stands behind its reason.
    const lines = text.trimEnd().split("\n");
    lines.forEach((line, index) => {
        if (/^ *(target|mode|read_only|tcp|udp|ports|override):/.test(line)) assert.match(lines[index - 1], /^ *# \S/, text);
    });
    const reason = least.reasons.find(({ why }) => why.startsWith("/data/hello.txt"));
    assert.match(reason.path, /^feature\.fs\.read_only\.\d+$/);
    await client.request("mirrord/session/stop", { sessionId });
    await debuggee.ended;

    // Taken over, it serves the same program, and leaves alone what that did not touch.
    home.write(".mirrord/least.mirrord.yaml", text);
    const active = `${home.workspaceUri}/.mirrord/least.mirrord.yaml`;
    const verified = await client.request("mirrord/config/verify", { uri: active });
    assert.ok(verified.ok, JSON.stringify(verified));
    await client.request("mirrord/config/setActive", { workspace: home.workspaceUri, uri: active });
    client.ignore("mirrord/config/activeChanged");
    const again = await client.request("mirrord/launch/prepare", launch(home, [python, app]));
    assert.equal(again.target, target, "the target is the file's now");
    const second = new Debuggee(home, again, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId: again.sessionId, pid: second.pid });
    await second.printed("listening");
    assert.match(second.stdout, /^file hello from a file in the pod$/m);
    assert.match(askPod(home), /^local /);
    const other = new Debuggee(home, again, ["/bin/cat", "/data/other.txt"]);
    assert.notEqual(await other.ended, 0, "what was not touched is this machine's");

    // Its own file, again: nothing is left to change but what was seen since.
    const same = await client.request("mirrord/config/fromSession", { sessionId: again.sessionId, uri: active });
    const [change] = same.edit.documentChanges;
    assert.equal(change.textDocument.uri, active);
    assert.ok(same.text.includes("COLOUR: green") && same.text.includes("mode: steal"), same.text);
    await client.request("mirrord/session/stop", { sessionId: again.sessionId });
    await second.ended;

    const gone = await client.failing("mirrord/config/fromSession", { sessionId: again.sessionId });
    assert.equal(gone.data.kind, "notFound");
    await leave(client);
});

inSandbox("a launch without a folder of its own belongs to the one around it, and says what chose its file", async ({ home, target, client }) => {
    const uri = home.write("other/.mirrord/mirrord.yaml", "feature:\n  fs:\n    read_only:\n      - ^/srv/a$\n    mode: localwithoverrides\n");
    const folder = `${home.workspaceUri}/other`;
    await client.notify("workspace/didChangeWorkspaceFolders", { event: { added: [{ uri: folder, name: "other" }], removed: [] } });
    const params = launch(home, [python, app], { target });
    delete params.workspace;
    const chosen = async (cwd) => {
        params.launch.cwd = cwd;
        const prepared = await client.request("mirrord/launch/prepare", params);
        const { sessionId } = prepared;
        const { config } = await client.request("mirrord/session/get", { sessionId });
        assert.deepEqual(config, prepared.config, "the session says the same");
        await client.request("mirrord/launch/abort", { sessionId });
        return config;
    };
    const nested = await chosen(`${home.workspace}/other`);
    assert.equal(nested.uri, uri);
    assert.equal(nested.source, "default");
    assert.match(nested.why, /is the folder's/);
    const outer = await chosen(home.workspace);
    assert.equal(outer.uri, `${home.workspaceUri}/.mirrord/mirrord.json`);
    const resolved = await client.request("mirrord/config/resolve", { cwd: `${home.workspace}/other/src` });
    assert.equal(resolved.config.uri, uri);

    client.ignore("mirrord/config/activeChanged");
    await client.request("mirrord/config/setActive", { workspace: folder, uri });
    assert.equal((await chosen(`${home.workspace}/other`)).source, "active");
    params.configUri = uri;
    assert.equal((await chosen(home.workspace)).source, "explicit");

    // Where the rule that decided is written.
    const explain = (more) => client.request("mirrord/explain", { workspace: folder, ...more });
    const listed = await explain({ path: "/srv/a" });
    assert.equal(listed.place, "remote");
    assert.deepEqual(listed.origin, { kind: "file", uri, range: { start: { line: 3, character: 8 }, end: { line: 3, character: 16 } } });
    const mode = await explain({ path: "/srv/b" });
    assert.equal(mode.place, "local");
    assert.equal(mode.origin.range.start.line, 4);
    assert.deepEqual((await explain({ path: "/usr/lib/x" })).origin, { kind: "default" });
    assert.deepEqual((await explain({ port: 8080 })).origin, { kind: "default" });
    await leave(client);
});

const cutter = fileURLToPath(new URL("../programs/cut.py", import.meta.url));

inSandbox("a session whose link is lost is reconnecting, and runs again when it is back", async ({ home, target, client }) => {
    const prepared = await prepare(client, home, target);
    const { sessionId } = prepared;
    await client.request("mirrord/session/subscribe", { sessionId });
    const debuggee = new Debuggee(home, prepared, [python, app]);
    await client.request("mirrord/launch/bind", { sessionId, pid: debuggee.pid });
    await debuggee.printed("listening");
    const isBack = async () => {
        await client.expect("mirrord/session/event", { sessionId, kind: "session", state: "running" });
        await client.expect("mirrord/session/event", { sessionId, kind: "listen", port: 8080, mode: "steal" });
    };
    await isBack();
    await until("a stolen request", () => askPod(home).startsWith("local "));

    const folder = join(home.runtime, "mirrord", `session-${sessionId}`);
    renameSync(join(folder, "agent"), join(folder, "agent-away"));
    const cut = spawnSync(python, [cutter, folder, "/agent"], { encoding: "utf8" });
    // The file server's two, and one of the session's, which may close the other at once.
    assert.ok(Number(cut.stdout) >= 3, cut.stdout + cut.stderr);
    const lost = await client.expect("mirrord/session/event", { sessionId, kind: "session", state: "reconnecting" });
    assert.ok(lost.reason);
    await client.expect("mirrord/session/changed", { session: { sessionId, state: "reconnecting", reason: lost.reason } });
    const now = await client.request("mirrord/session/get", { sessionId });
    assert.deepEqual([now.state, now.reason], ["reconnecting", lost.reason]);
    assert.equal((await client.request("mirrord/agent/status", { sessionId })).phase, "lost");
    assert.match(askPod(home), /pod: shop-shop/, "the pod answers its clients itself");

    renameSync(join(folder, "agent-away"), join(folder, "agent"));
    await isBack();
    assert.equal((await client.request("mirrord/agent/status", { sessionId })).phase, "serving");
    await until("a stolen request", () => askPod(home).startsWith("local "));
    await client.request("mirrord/session/stop", { sessionId });
    await debuggee.ended;
    await leave(client);
});

test("the status names the cluster of the client's environment and counts the sessions", { timeout: 180_000 }, async () => {
    const home = new Home(stealing);
    try {
        home.write("kubeconfig", {
            "current-context": "staging",
            clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
            contexts: [{ name: "other", context: { cluster: "c" } }, { name: "staging", context: { cluster: "c", namespace: "shop" } }],
        });
        home.env.KUBECONFIG = join(home.workspace, "kubeconfig");
        const target = home.sandbox();
        const client = Client.stdio(home);
        await client.initialize(home);
        const place = { context: "staging", namespace: "shop" };
        const { sessionId } = await prepare(client, home, target);
        await client.expect("mirrord/status", { ...place, sessions: 1 });
        await client.request("mirrord/launch/abort", { sessionId });
        await client.expect("mirrord/status", { ...place, sessions: 0 });
        await leave(client);
    } finally {
        await home.end();
    }
});
