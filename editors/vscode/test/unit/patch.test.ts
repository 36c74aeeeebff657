import assert from "node:assert/strict";
import { test } from "node:test";
import { applyPatch } from "../../src/launch/patch";
import type { PatchOperation } from "../../src/server/protocol";

const launch = () => ({ type: "node", program: "/w/app.js", env: { MINE: "kept" } as Record<string, string>, args: ["a", "c"] });

const patched = (...operations: PatchOperation[]) => applyPatch(launch() as Record<string, unknown>, operations);

test("variables are added beside the user's own", () => {
    assert.deepEqual(patched({ op: "add", path: "/env/LD_PRELOAD", value: "/l.so" }).env, { MINE: "kept", LD_PRELOAD: "/l.so" });
});

test("the launch that was sent stays as it was", () => {
    const raw = launch();
    applyPatch(raw, [{ op: "add", path: "/env/A", value: "1" }]);
    assert.deepEqual(raw, launch());
});

test("a member is replaced, taken away and made", () => {
    const changed = patched(
        { op: "replace", path: "/program", value: "/x" },
        { op: "remove", path: "/env/MINE" },
        { op: "add", path: "/runtimeArgs", value: ["@launch"] },
    );
    assert.deepEqual(changed, { type: "node", program: "/x", env: {}, args: ["a", "c"], runtimeArgs: ["@launch"] });
});

test("lists take an entry in the middle and at the end, and lose one", () => {
    const add = (path: string) => patched({ op: "add", path, value: "b" }).args;
    assert.deepEqual(add("/args/1"), ["a", "b", "c"]);
    assert.deepEqual(add("/args/-"), ["a", "c", "b"]);
    assert.deepEqual(patched({ op: "remove", path: "/args/0" }).args, ["c"]);
});

test("names with a slash and a tilde are found", () => {
    assert.deepEqual(patched({ op: "add", path: "/env/A~1B~0C", value: "1" }).env, { MINE: "kept", "A/B~C": "1" });
});

test("what does not fit changes nothing and says so", () => {
    const operations: PatchOperation[] = [
        { op: "remove", path: "/nothing" },
        { op: "replace", path: "/env/OTHER", value: "1" },
        { op: "add", path: "/no/where", value: "1" },
        { op: "add", path: "/args/9", value: "1" },
        { op: "add", path: "/args/first", value: "1" },
        { op: "add", path: "", value: {} },
        { op: "add", path: "env", value: {} },
        { op: "test", path: "/type", value: "python" },
    ];
    for (const operation of operations) assert.throws(() => patched(operation), JSON.stringify(operation));
});

test("a test that holds lets the rest be applied", () => {
    assert.equal(patched({ op: "test", path: "/type", value: "node" }, { op: "add", path: "/name", value: "n" }).name, "n");
});

test("no operation reaches the prototype of all objects", () => {
    assert.throws(() => patched({ op: "add", path: "/__proto__/polluted", value: true }));
    assert.throws(() => patched({ op: "add", path: "/constructor/prototype/polluted", value: true }));
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
});
