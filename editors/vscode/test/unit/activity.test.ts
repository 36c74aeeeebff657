import assert from "node:assert/strict";
import { test } from "node:test";
import { Entries, type EntryKind, entryOf, matches } from "../../src/activity/entry";
import type { SessionEvent } from "../../src/server/protocol";

const event = (seq: number, rest: object) => ({ seq, ts: "2026-01-01T00:00:00.000Z", sessionId: "s", ...rest }) as SessionEvent;
const file = (seq: number, path = "/data/x") => event(seq, { kind: "file", pid: 1, call: "openat", path, place: "remote", rule: "fs.mode read" });
const outgoing = (seq: number, to: string) => event(seq, { kind: "outgoing", pid: 1, protocol: "tcp", to, place: "remote", rule: "network.outgoing" });
const everything = new Set<EntryKind>(["file", "connection", "request", "name", "port", "process", "notice"]);

test("each kind of event says where it went and what can be changed", () => {
    const of = (rest: object) => {
        const entry = entryOf(event(1, rest));
        return [entry?.kind, entry?.text, entry?.where, entry?.change?.subject, entry?.change?.value];
    };
    assert.deepEqual(of({ kind: "file", pid: 1, call: "open", path: "/x", place: "not_found", rule: "r" }), ["file", "/x", "notFound", "path", "/x"]);
    assert.deepEqual(of({ kind: "outgoing", pid: 1, protocol: "tcp", to: "db:5432", place: "remote", rule: "r" }), ["connection", "db:5432", "remote", "host", "db"]);
    assert.deepEqual(of({ kind: "outgoing", pid: 1, protocol: "tcp", to: "[::1]:80", place: "local", rule: "r" }), ["connection", "[::1]:80", "local", "host", "::1"]);
    assert.deepEqual(of({ kind: "outgoing", pid: 1, protocol: "unix", to: "/run/x", place: "remote", rule: "r" }), ["connection", "/run/x", "remote", undefined, undefined]);
    assert.deepEqual(of({ kind: "name", name: "orders", place: "remote", rule: "r" }), ["name", "orders", "remote", "host", "orders"]);
    assert.deepEqual(of({ kind: "incoming", port: 80, client: "10.0.0.1:4", mode: "steal" }), ["request", "port 80 from 10.0.0.1:4", "stolen", "port", "80"]);
    assert.deepEqual(of({ kind: "listen", pid: 1, port: 80, mode: "mirror", detail: "d", rule: "r" }), ["port", "listens on 80", "mirrored", "port", "80"]);
    assert.equal(entryOf(event(1, { kind: "session", state: "running", reason: "" })), undefined);
    assert.equal(entryOf(event(1, { kind: "of a newer server" })), undefined);
});

test("a connection can be asked again with curl", () => {
    const curl = (to: string) => entryOf(outgoing(1, to))?.curl;
    assert.equal(curl("orders:80"), "curl -v 'http://orders/'");
    assert.equal(curl("orders:8080"), "curl -v 'http://orders:8080/'");
    assert.equal(curl("[fd00::1]:443"), "curl -v 'https://[fd00::1]/'");
});

test("what repeats is counted, and connections are not", () => {
    const entries = new Entries(10);
    entries.add(file(1));
    assert.equal(entries.add(file(2))?.count, 2);
    entries.add(outgoing(3, "db:1"));
    entries.add(outgoing(4, "db:1"));
    assert.deepEqual(entries.all().map(({ kind, count }) => [kind, count]), [["file", 2], ["connection", 1], ["connection", 1]]);
});

test("an event that comes again after a new subscription changes nothing", () => {
    const entries = new Entries(10);
    entries.add(file(5));
    assert.equal(entries.add(file(5)), undefined);
    assert.equal(entries.lastSeq, 5);
    assert.equal(entries.all().length, 1);
});

test("missing events are said, beside the one before them", () => {
    const entries = new Entries(10);
    entries.add(file(5));
    assert.match(entries.add(event(5, { kind: "dropped", count: 12 }))?.text ?? "", /12 events/);
    assert.deepEqual(entries.all().map(({ seq }) => seq), [5, 5.5]);
});

test("the oldest entries make room, and are counted anew", () => {
    const entries = new Entries(2);
    for (const [index, path] of ["/a", "/b", "/c"].entries()) entries.add(file(index, path));
    assert.deepEqual(entries.all().map(({ text }) => text), ["/b", "/c"]);
    assert.equal(entries.add(file(9, "/a"))?.count, 1);
});

test("a filter takes kinds, places and every word of the search", () => {
    const entry = entryOf(file(1, "/etc/Shop.conf"));
    assert.ok(entry);
    const is = (change: object) => matches(entry, { kinds: everything, where: "", search: "", ...change });
    assert.ok(is({}));
    assert.ok(is({ search: "shop READ", where: "remote" }));
    assert.ok(!is({ search: "shop nothing" }));
    assert.ok(!is({ where: "local" }));
    assert.ok(!is({ kinds: new Set(["name"]) }));
});
