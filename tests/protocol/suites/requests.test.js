// Every request is answered exactly once: also when it is cancelled, comes too early or too late,
// or is under way when the connection or the daemon ends.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Home } from "../lib/home.js";
import { Raw } from "../lib/raw.js";

const CANCELLED = -32800;
const SERVER_CANCELLED = -32802;
// A machine that is busy with other tests takes seconds for a whole session.
const UNDONE_WITHIN = 9_000;

function inHome(what, body) {
    test(what, { timeout: 120_000 }, async () => {
        const home = new Home();
        try {
            await body(home);
        } finally {
            await home.end();
        }
    });
}

const launch = (home, more = {}) => ({
    workspace: home.workspaceUri,
    launch: { name: "app", kind: "run", program: "/bin/true", cwd: home.workspace, env: {} },
    interactive: false,
    active: true,
    ...more,
});

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

inHome("requests before initialize are refused and those after shutdown too", async (home) => {
    const raw = Raw.stdio(home);
    await raw.send({ id: 1, method: "mirrord/session/list", params: {} });
    assert.equal((await raw.answer(1)).error.code, -32002);
    await raw.initialize(home);
    await raw.send({ id: 2, method: "shutdown" });
    assert.equal((await raw.answer(2)).result, null);
    await raw.send({ id: 3, method: "mirrord/session/list", params: {} });
    assert.equal((await raw.answer(3)).error.code, -32600);
    await raw.send({ method: "exit" });
    assert.equal(await raw.ended, 0);
});

inHome("ids may be texts, unknown notifications are ignored, and a used id is refused", async (home) => {
    const raw = Raw.stdio(home);
    await raw.initialize(home, { targetPicker: true });
    await raw.send({ method: "mirrord/nothing", params: {} });
    await raw.send({ method: "$/setTrace", params: { value: "off" } });
    await raw.send({ id: "a text", method: "mirrord/session/list", params: {} });
    assert.deepEqual((await raw.answer("a text")).result, { sessions: [] });
    await raw.send({ id: 9, method: "mirrord/launch/prepare", params: launch(home, { interactive: true }) });
    await raw.until(() => raw.heard.find((message) => message.method === "mirrord/ui/pickTarget"), "a picker");
    await raw.send({ id: 9, method: "mirrord/session/list", params: {} });
    assert.equal((await raw.answer(9)).error.code, -32600);
    await raw.close();
});

inHome("a request that waits for the user is cancelled once, and nothing of it remains", async (home) => {
    const raw = Raw.stdio(home);
    await raw.initialize(home, { targetPicker: true });
    await raw.send({ id: 1, method: "mirrord/launch/prepare", params: launch(home, { interactive: true }) });
    const picker = await raw.until(() => raw.heard.find((message) => message.method === "mirrord/ui/pickTarget"), "a picker");
    await raw.send({ method: "$/cancelRequest", params: { id: 1 } });
    assert.equal((await raw.answer(1)).error.code, CANCELLED);
    // Too late, twice, for somebody else's: all without an answer.
    await raw.send({ method: "$/cancelRequest", params: { id: 1 } });
    await raw.send({ method: "$/cancelRequest", params: { id: "never there" } });
    await raw.send({ id: picker.id, result: { path: "sandbox/shop" } });
    await raw.send({ id: 2, method: "mirrord/session/list", params: {} });
    assert.deepEqual((await raw.answer(2)).result, { sessions: [] });
    assert.equal(raw.answers(1).length, 1);
    await raw.close();
});

inHome("a preparation that is cancelled at any moment is answered once, and nothing of it remains", async (home) => {
    const target = home.sandbox();
    const raw = Raw.stdio(home);
    await raw.initialize(home);
    let cancelled = 0;
    const moments = [0, 2, 5, 10, 20, 40, 80, 150];
    for (const [index, moment] of moments.entries()) {
        const id = `prepare-${index}`;
        const began = Date.now();
        await raw.send({ id, method: "mirrord/launch/prepare", params: launch(home, { target }) });
        await pause(moment);
        await raw.send({ method: "$/cancelRequest", params: { id } });
        const answer = await raw.answer(id);
        if (answer.error) {
            assert.equal(answer.error.code, CANCELLED, JSON.stringify(answer.error));
            assert.equal(answer.error.data.kind, "cancelled");
            cancelled += 1;
        } else {
            await raw.send({ id: `abort-${index}`, method: "mirrord/launch/abort", params: { sessionId: answer.result.sessionId } });
            assert.deepEqual((await raw.answer(`abort-${index}`)).result, {});
        }
        await raw.send({ id: `list-${index}`, method: "mirrord/session/list", params: {} });
        assert.deepEqual((await raw.answer(`list-${index}`)).result.sessions, [], `after ${moment} ms`);
        assert.equal(raw.answers(id).length, 1);
        assert.ok(Date.now() - began < UNDONE_WITHIN, `cancelled after ${moment} ms, undone after ${Date.now() - began}`);
    }
    assert.ok(cancelled >= 2, `${cancelled} of ${moments.length} were cancelled`);
    // A session that was aborted may keep its agent warm; one that was cancelled leaves none.
    await raw.send({ id: "agents", method: "mirrord/agent/list", params: {} });
    const { agents } = (await raw.answer("agents")).result;
    assert.ok(agents.length <= moments.length - cancelled, JSON.stringify(agents));
    for (const { agentId, phase } of agents) {
        assert.equal(phase, "warm");
        await raw.send({ id: agentId, method: "mirrord/agent/stop", params: { agentId } });
        assert.deepEqual((await raw.answer(agentId)).result, {});
    }
    // The answer comes when all is undone; the process that undid it is still to exit.
    const left = () => home.processes().filter(({ command }) => command.includes("@session"));
    for (let looks = 0; left().length > 0 && looks < 100; looks += 1) await pause(20);
    assert.deepEqual(left(), []);
    await raw.close();
});

inHome("a session whose starter hangs up in the moment in which it is ready ends at once", async (home) => {
    const target = home.sandbox();
    // As the daemon starts it: its options on stdin, its news on descriptor 3.
    const session = home.spawn(["@session"], { stdio: ["pipe", "ignore", "ignore", "pipe"] });
    const ended = once(session, "exit");
    const folder = home.workspace;
    session.stdin.end(JSON.stringify({
        name: "app",
        workspace: folder,
        config: { file: null, folder, target, incoming: null },
        workingDirectory: folder,
        program: null,
        expiresMs: 60_000,
        keepAgentMs: 60_000,
        log: "info",
    }));
    let news = "";
    for await (const bytes of session.stdio[3]) {
        news += bytes;
        if (news.includes('"ready"')) break;
    }
    session.stdio[3].destroy();
    await Promise.race([ended, pause(5_000).then(() => assert.fail("it lives on"))]);
    const left = home.processes().filter(({ command }) => !command.includes("sandbox"));
    assert.deepEqual(left, []);
});

inHome("shutdown with requests under way answers each of them once", async (home) => {
    const raw = Raw.stdio(home);
    await raw.initialize(home);
    const ids = Array.from({ length: 20 }, (_, index) => 100 + index);
    for (const id of ids) raw.send({ id, method: "mirrord/doctor", params: {} });
    await raw.send({ id: 1, method: "shutdown" });
    await raw.send({ method: "exit" });
    assert.equal(await raw.ended, 0);
    for (const id of [1, ...ids]) {
        const answers = raw.answers(id);
        assert.equal(answers.length, 1, `${id}: ${JSON.stringify(answers)}`);
    }
});

inHome("the daemon's end answers what is under way, and the forwarder ends with 75", async (home) => {
    const raw = Raw.stdio(home);
    await raw.initialize(home, { targetPicker: true });
    await raw.send({ id: 1, method: "mirrord/launch/prepare", params: launch(home, { interactive: true }) });
    await raw.until(() => raw.heard.find((message) => message.method === "mirrord/ui/pickTarget"), "a picker");
    home.must("daemon", "stop");
    assert.equal(await raw.ended, 75);
    assert.equal(raw.answers(1).length, 1);
    assert.equal(raw.answers(1)[0].error.code, SERVER_CANCELLED);
    assert.equal(home.status(), null);
});

inHome("rows come as partial results before the answer, which is empty", async (home) => {
    const raw = Raw.stdio(home);
    await raw.initialize(home);
    const before = raw.heard.length;
    await raw.send({ id: 1, method: "mirrord/doctor", params: { partialResultToken: "rows" } });
    const answer = await raw.answer(1);
    assert.deepEqual(answer.result.checks, []);
    const came = raw.heard.slice(before).filter((message) => message.method !== "mirrord/status");
    assert.equal(came.at(-1), answer);
    const rows = came.slice(0, -1).map((message) => message.params);
    assert.ok(rows.length > 3 && rows.every((row) => row.token === "rows"), JSON.stringify(rows));
    await raw.send({ id: 2, method: "mirrord/doctor", params: {} });
    const whole = (await raw.answer(2)).result.checks.map((check) => check.id);
    assert.deepEqual(rows.flatMap((row) => row.value.checks.map((check) => check.id)), whole);
    await raw.close();
});
