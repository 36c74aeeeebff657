import assert from "node:assert/strict";
import { test } from "node:test";
import { ownEnvironment } from "../../src/server/environment";
import { detailOf, failureOf } from "../../src/server/failure";
import { type Surroundings, findServer } from "../../src/server/find";

const OWN = "/ext/server/mirrord-server";
const around = (files: Record<string, string>, more: Partial<Surroundings> = {}): Surroundings => ({
    setting: "",
    extension: "/ext",
    path: "/usr/bin:relative:/opt/bin",
    version: "1.0.0",
    isExecutable: (file) => file in files,
    versionOf: async (file) => files[file],
    ...more,
});

test("the setting's server beats every other, and a wrong one is said", async () => {
    const found = await findServer(around({ "/x": "9", [OWN]: "1.0.0" }, { setting: "/x" }));
    assert.equal(found.file, "/x");
    await assert.rejects(findServer(around({ [OWN]: "1.0.0" }, { setting: "/x" })), /\/x, which is no program/);
});

test("the one on PATH is used when its version is ours", async () => {
    const found = await findServer(around({ "/opt/bin/mirrord-server": "1.0.0", [OWN]: "1.0.0" }));
    assert.equal(found.file, "/opt/bin/mirrord-server");
});

test("another version on PATH is passed over with a word, or refused when there is no other", async () => {
    const found = await findServer(around({ "/opt/bin/mirrord-server": "0.9.0", [OWN]: "1.0.0" }));
    assert.equal(found.file, OWN);
    assert.match(found.why, /0\.9\.0.*1\.0\.0/);
    await assert.rejects(findServer(around({ "/opt/bin/mirrord-server": "0.9.0" })), /0\.9\.0.*1\.0\.0.*same version/);
});

test("without any server it is said what to do", async () => {
    await assert.rejects(findServer(around({})), /mirrord\.serverPath/);
    await assert.rejects(findServer(around({ "relative/mirrord-server": "1.0.0" })), /none on PATH/);
});

test("what the editor puts into the environment for itself stays with it", () => {
    const env = { PATH: "/bin", KUBECONFIG: "/k", VSCODE_PID: "1", ELECTRON_RUN_AS_NODE: "1", LD_PRELOAD: "/l.so", MIRRORD_LAUNCH_TOKEN: "t", GONE: undefined };
    assert.deepEqual(ownEnvironment(env), { PATH: "/bin", KUBECONFIG: "/k" });
});

test("a failure has the server's words, its help and its causes", () => {
    const failure = failureOf({ code: -32001, message: "x", data: { kind: "targetUnavailable", message: "no pod", help: "start one", causes: ["a", "b"] } });
    assert.deepEqual([failure.kind, failure.message, detailOf(failure)], ["targetUnavailable", "no pod", "Start one\n• a\n• b"]);
    assert.equal(failureOf({ code: -32800, message: "x" }).kind, "cancelled");
    assert.equal(failureOf(new Error("gone")).message, "gone");
});
