// One line of the activity panel, from an event of a session. Pure; used on both sides of the webview.

import type { SessionEvent } from "../server/protocol";

export type Where = "local" | "remote" | "stolen" | "mirrored" | "notFound" | "refused" | "none";
export type EntryKind = "file" | "connection" | "request" | "name" | "port" | "process" | "notice";

/** What `mirrord/session/rule` takes. */
export interface RuleSubject {
    subject: "path" | "host" | "port";
    value: string;
    actions: string[];
}

export interface Entry {
    /** Of its first event. */
    seq: number;
    ts: string;
    kind: EntryKind;
    text: string;
    detail: string;
    where: Where;
    rule: string;
    /** How often the same happened. */
    count: number;
    change?: RuleSubject;
    curl?: string;
}

const PLACES: Record<string, Where> = { local: "local", remote: "remote", not_found: "notFound", refused: "refused" };
const PATH = ["local", "readOnly", "remote", "notFound"];
const HOST = ["local", "remote"];
const PORT = ["steal", "mirror", "off"];

/** Undefined for events that are no activity. */
export function entryOf(event: SessionEvent): Entry | undefined {
    const base = { seq: event.seq, ts: event.ts, count: 1, rule: "", detail: "", where: "none" as Where };
    switch (event.kind) {
        case "file":
            return {
                ...base,
                kind: "file",
                text: event.path,
                detail: `${event.call}${event.writes ? ", writes" : ""}`,
                where: PLACES[event.place] ?? "none",
                rule: event.rule,
                change: { subject: "path", value: event.path, actions: PATH },
            };
        case "outgoing": {
            const { host, port } = address(event.to);
            const isHost = event.protocol !== "unix";
            return {
                ...base,
                kind: "connection",
                text: event.to,
                detail: `${event.protocol}${event.errno ? `, refused (errno ${event.errno})` : ""}`,
                where: PLACES[event.place] ?? "none",
                rule: event.rule,
                change: isHost ? { subject: "host", value: host, actions: HOST } : undefined,
                curl: event.protocol === "tcp" ? curl(host, port) : undefined,
            };
        }
        case "incoming":
            return {
                ...base,
                kind: "request",
                text: `port ${event.port} from ${event.client}`,
                detail: event.mode === "steal" ? "answered here" : "a copy came here",
                where: event.mode === "steal" ? "stolen" : "mirrored",
                change: { subject: "port", value: String(event.port), actions: PORT },
                curl: curl("localhost", String(event.port)),
            };
        case "name":
            return {
                ...base,
                kind: "name",
                text: event.name,
                detail: "looked up",
                where: PLACES[event.place] ?? "none",
                rule: event.rule,
                change: { subject: "host", value: event.name, actions: HOST },
            };
        case "listen":
            return {
                ...base,
                kind: "port",
                text: `listens on ${event.port}`,
                detail: event.detail,
                where: event.mode === "steal" ? "stolen" : event.mode === "mirror" ? "mirrored" : "local",
                rule: event.rule,
                change: { subject: "port", value: String(event.port), actions: PORT },
            };
        case "process":
            return { ...base, kind: "process", text: event.exe ?? "process", detail: `${event.state}, pid ${event.pid}` };
        case "notice":
            return { ...base, kind: "notice", text: event.text, detail: event.level };
        case "dropped":
            // It has the number of the event before it.
            return { ...base, seq: event.seq + 0.5, kind: "notice", text: `${event.count} events were too many to be kept`, detail: "warn" };
        default:
            return undefined;
    }
}

/** `db:5432`, `[::1]:80`. */
function address(to: string): { host: string; port: string } {
    const at = to.lastIndexOf(":");
    if (at < 0) return { host: to, port: "" };
    return { host: to.slice(0, at).replace(/^\[|\]$/g, ""), port: to.slice(at + 1) };
}

/** Where HTTP is not parsed, only the connection is known. */
function curl(host: string, port: string): string {
    const scheme = port === "443" || port === "8443" ? "https" : "http";
    const name = host.includes(":") ? `[${host}]` : host;
    const shown = (scheme === "http" && port === "80") || (scheme === "https" && port === "443") || port === "" ? "" : `:${port}`;
    return `curl -v '${scheme}://${name}${shown}/'`;
}

const keyOf = ({ kind, text, detail, where, rule }: Entry): string => JSON.stringify([kind, text, detail, where, rule]);

/** The last entries of a session; what repeats is counted. */
export class Entries {
    private readonly list: Entry[] = [];
    private readonly byKey = new Map<string, Entry>();
    lastSeq = -1;

    constructor(private readonly limit: number) {}

    /** The entry that is new or different now. */
    add(event: SessionEvent): Entry | undefined {
        // After a new subscription events may come twice; what was dropped has no number of its own.
        if (event.seq <= this.lastSeq && event.kind !== "dropped") return undefined;
        this.lastSeq = Math.max(this.lastSeq, event.seq);
        const entry = entryOf(event);
        if (!entry) return undefined;
        const repeats = entry.kind === "file" || entry.kind === "name";
        const before = repeats ? this.byKey.get(keyOf(entry)) : undefined;
        if (before) {
            before.count += 1;
            before.ts = entry.ts;
            return before;
        }
        this.list.push(entry);
        if (repeats) this.byKey.set(keyOf(entry), entry);
        if (this.list.length > this.limit) {
            const oldest = this.list.shift();
            if (oldest) this.byKey.delete(keyOf(oldest));
        }
        return entry;
    }

    all(): readonly Entry[] {
        return this.list;
    }
}

export interface Filter {
    kinds: ReadonlySet<EntryKind>;
    where: Where | "";
    search: string;
}

export function matches(entry: Entry, { kinds, where, search }: Filter): boolean {
    if (!kinds.has(entry.kind)) return false;
    if (where !== "" && entry.where !== where) return false;
    const words = search.toLowerCase().split(/\s+/).filter(Boolean);
    const text = `${entry.text} ${entry.rule} ${entry.detail} ${entry.where}`.toLowerCase();
    return words.every((word) => text.includes(word));
}
