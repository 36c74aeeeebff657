import assert from "node:assert/strict";
import { test } from "node:test";
import { Run, pidInName } from "../../src/debugger/run";

const event = (name: string, body?: unknown) => ({ type: "event", event: name, body });
const answer = (command: string, success = true) => ({ type: "response", command, success });

test("the debuggee's pid comes from the process event", () => {
    const run = new Run();
    assert.deepEqual(run.said(event("process", { systemProcessId: 42 })), [{ kind: "pid", pid: 42 }]);
    assert.deepEqual(run.said(event("process", { name: "x" })), []);
});

test("a stop and what follows it is told once each", () => {
    const run = new Run();
    assert.deepEqual(run.said(event("stopped")), [{ kind: "paused" }]);
    assert.deepEqual(run.said(event("stopped")), []);
    assert.deepEqual(run.said(answer("continue")), [{ kind: "running" }]);
    assert.deepEqual(run.said(event("continued")), []);
    run.said(event("stopped"));
    assert.deepEqual(run.said(answer("next", false)), []);
    assert.deepEqual(run.said(answer("next")), [{ kind: "running" }]);
});

test("an end is told once, and nothing after it", () => {
    const run = new Run();
    run.said(event("stopped"));
    assert.deepEqual(run.said(event("terminated")), [{ kind: "disconnected" }]);
    assert.deepEqual(run.end(), []);
    assert.deepEqual(run.said(event("stopped")), []);
});

test("debugpy's own port is the internal one", () => {
    const sockets = [{ host: "127.0.0.1", port: 5678, internal: false }, { host: "127.0.0.1", port: 40123, internal: true }];
    assert.deepEqual(new Run().said(event("debugpySockets", { sockets })), [{ kind: "port", port: 40123 }]);
    assert.deepEqual(new Run().said(event("debugpySockets", { sockets: "odd" })), []);
});

test("js-debug's pid is in the name of its session", () => {
    assert.deepEqual(pidInName("app.js [4242] « node"), [{ kind: "pid", pid: 4242 }]);
    assert.deepEqual(pidInName("Remote Process [0x1]"), []);
    assert.deepEqual(pidInName("node"), []);
});
