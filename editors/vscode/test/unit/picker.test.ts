import assert from "node:assert/strict";
import { test } from "node:test";
import { changed, rowsOf } from "../../src/picker/rows";
import type { TargetRow } from "../../src/server/protocol";

const row = (path: string, more: Partial<TargetRow> = {}): TargetRow => {
    const [kind = "", name = ""] = path.split("/");
    return { path, kind, name, ready: true, ...more };
};
const shown = (rows: TargetRow[]) => rowsOf(rows).map(({ label, path }) => (path === undefined ? `-- ${label}` : label.replace(/^\$\([^)]*\) /, "")));

test("last used ones come first, then kind by kind, and every process last", () => {
    const rows = [
        row("process/7"),
        row("pod/b"),
        row("deployment/old", { lastUsed: "2026-01-01T00:00:00Z" }),
        row("sandbox/default"),
        row("deployment/new", { lastUsed: "2026-01-02T00:00:00Z" }),
        row("pod/a"),
    ];
    assert.deepEqual(shown(rows), [
        ...["-- last used", "deployment/new", "deployment/old"],
        ...["-- sandboxes", "sandbox/default", "-- pods", "pod/a", "pod/b"],
        ...["-- without a target", "targetless", "-- processes", "process/7"],
    ]);
});

test("a target that cannot be used says why", () => {
    const [, one] = rowsOf([row("pod/a", { ready: false, reason: "it is pending", namespace: "shop", pods: { ready: 0, wanted: 2 } })]);
    assert.equal(one?.description, "not ready: it is pending · 0/2 pods · shop");
    assert.match(one?.label ?? "", /warning/);
});

test("a process is named by its program and what it listens on", () => {
    const rows = rowsOf([row("process/7", { name: "nginx", ports: [80, 443] })]);
    assert.equal(rows.at(-1)?.description, "nginx · listens on 80, 443");
});

test("a watch adds, replaces and removes rows", () => {
    const before = [row("pod/a"), row("pod/b")];
    const after = changed(before, { removed: ["pod/a"], updated: [row("pod/b", { ready: false }), row("pod/c")] });
    assert.deepEqual(after.map(({ path, ready }) => [path, ready]), [["pod/b", false], ["pod/c", true]]);
});
