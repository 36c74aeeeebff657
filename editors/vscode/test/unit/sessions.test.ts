import assert from "node:assert/strict";
import { test } from "node:test";
import type { Session } from "../../src/server/protocol";
import { changed, nodeOf } from "../../src/sessions/model";

const session = (sessionId: string, more: Partial<Session> = {}): Session => ({
    sessionId,
    name: "app",
    state: "running",
    target: "sandbox/default",
    startedAt: `2026-01-01T00:00:0${sessionId}Z`,
    processes: [],
    ports: [],
    lastSeq: 0,
    ...more,
});

test("the newest session is first, and one that ended leaves the list", () => {
    const ids = (list: Session[]) => list.map(({ sessionId }) => sessionId);
    const two = changed([session("1")], session("2"));
    assert.deepEqual(ids(two), ["2", "1"]);
    assert.deepEqual(ids(changed(two, session("2", { state: "draining" }))), ["2", "1"]);
    assert.deepEqual(ids(changed(two, session("2", { state: "ended" }))), ["1"]);
});

test("a session shows its agent, configuration, processes and ports", () => {
    const one = session("1", {
        config: { source: "active", uri: "file:///w/.mirrord/shop%20mirrord.json", why: "it is active" },
        processes: [{ pid: 7, exe: "/usr/bin/node", paused: true }],
        ports: [{ port: 8080, mode: "steal" }],
    });
    const node = nodeOf(one, { phase: "serving", node: "n1", roundTripUs: 12_400 });
    assert.equal(node.description, "sandbox/default · running");
    assert.equal(node.context, "session");
    assert.deepEqual(node.children.map(({ label, description }) => [label, description]), [
        ["agent", "serving · n1 · 12 ms away"],
        ["shop mirrord.json", "active"],
        ["node", "7 · paused"],
        ["port 8080", "the pod's clients are answered here"],
    ]);
    assert.ok(node.children.every(({ sessionId }) => sessionId === "1"));
});

test("a session over all pods of a workload shows the agent in each of them", () => {
    const agents = [
        { pod: "web-1", node: "n1", phase: "serving", primary: true, roundTripUs: 2_000 },
        { pod: "web-2", node: "n2", phase: "lost", reason: "its node is gone", restarts: 2 },
    ];
    const [agent] = nodeOf(session("1"), { phase: "serving", node: "n1", agents }).children;
    assert.deepEqual(agent?.children.map(({ label, description, tooltip }) => [label, description, tooltip]), [
        ["web-1", "files, variables and connections · serving · n1 · 2 ms away", undefined],
        ["web-2", "lost · n2 · started again 2 times", "its node is gone"],
    ]);
    const [one] = nodeOf(session("1"), { phase: "serving", agents: agents.slice(0, 1) }).children;
    assert.deepEqual(one?.children, []);
});

test("a word of a newer server is shown as it is", () => {
    assert.match(nodeOf(session("1", { state: "hibernating" }), undefined).description, /hibernating/);
});
