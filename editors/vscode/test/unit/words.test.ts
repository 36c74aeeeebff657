// What is shown: status item, doctor, launch configurations.

import assert from "node:assert/strict";
import { test } from "node:test";
import { shown, summary } from "../../src/doctor/checks";
import { launchOfFile, startable } from "../../src/launch/configurations";
import { Forced } from "../../src/launch/forced";
import { type Situation, wordsOf } from "../../src/status/words";

const situation: Situation = { on: true, server: "on", degraded: false, sessions: 0, trusted: true };

test("the status item says state, target and how many run", () => {
    const text = (change: Partial<Situation>) => wordsOf({ ...situation, ...change }).text;
    assert.equal(text({}), "$(plug) mirrord: on");
    assert.equal(text({ target: "pod/a", sessions: 2 }), "$(plug) mirrord: pod/a (2)");
    assert.equal(text({ on: false, target: "pod/a" }), "$(circle-slash) mirrord: off");
    assert.equal(text({ server: "starting" }), "$(loading~spin) mirrord: on");
});

test("a server that does not run is an error, and what is missing a warning only while it is on", () => {
    assert.equal(wordsOf({ ...situation, server: "failed", trouble: "no server" }).color, "error");
    assert.match(wordsOf({ ...situation, server: "failed", trouble: "no server" }).tooltip, /no server/);
    assert.equal(wordsOf({ ...situation, degraded: true }).color, "warning");
    assert.equal(wordsOf({ ...situation, degraded: true, on: false }).color, undefined);
});

test("a workspace that is not trusted is said", () => {
    assert.match(wordsOf({ ...situation, trusted: false }).tooltip, /not trusted/);
});

test("the doctor shows what fails first, and finds the command line of a fix", () => {
    const rows = shown([
        { id: "a", title: "FUSE", status: "ok", detail: "there" },
        { id: "b", title: "Kernel", status: "fail", detail: "old", fix: "install `fuse3` with `sudo apt-get install fuse3`" },
        { id: "c", title: "Cluster", status: "warn", detail: "none", fix: "set `KUBECONFIG`" },
    ]);
    assert.deepEqual(rows.map(({ label, command }) => [label, command]), [
        ["$(error) Kernel", "sudo apt-get install fuse3"],
        ["$(warning) Cluster", undefined],
        ["$(pass) FUSE", undefined],
    ]);
});

test("the doctor's summary counts, and says while more is to come", () => {
    const checks = [{ id: "a", title: "t", status: "ok", detail: "d" }];
    assert.equal(summary(checks, true), "1 work, 0 to look at, 0 fail");
    assert.match(summary(checks, false), /more to come/);
});

test("launches and compounds can be started, attaching cannot", () => {
    const one = (name: string, request = "launch") => ({ name, request, type: "node" });
    const found = startable({
        configurations: [one("a"), one("b", "attach"), one("c")],
        compounds: [{ name: "both", configurations: ["a", { name: "c" }] }],
    });
    assert.deepEqual(found.map(({ name, members }) => [name, members]), [["a", ["a"]], ["c", ["c"]], ["both", ["a", "c"]]]);
});

test("a file is launched by its language, where a debugger for it is there", () => {
    assert.equal(launchOfFile("python", "/w/a.py", ["debugpy"])?.type, "debugpy");
    assert.equal(launchOfFile("python", "/w/a.py", ["node"]), undefined);
    assert.equal(launchOfFile("rust", "/w/a.rs", ["lldb"]), undefined);
});

test("a launch is forced only while it is started, and the last word counts", async () => {
    const forced = new Forced();
    await forced.during(["a"], "mirrord", async () => {
        assert.equal(forced.get("a"), "mirrord");
        assert.equal(forced.get("b"), undefined);
        await forced.during(["a"], "plain", async () => assert.equal(forced.get("a"), "plain"));
        assert.equal(forced.get("a"), "mirrord");
    });
    assert.equal(forced.get("a"), undefined);
});
