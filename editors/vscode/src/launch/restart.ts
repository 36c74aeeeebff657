// The toolbar's Restart. VS Code launches the same configuration again without asking any provider,
// and with it the token of a session that is over. So while the old run ends, its session is
// restarted (on a warm agent, with the configuration read again), and the new patch is put into the
// `launch` request. Adapters that restart inside are told to VS Code as if they could not, so that
// there is such a request. What cannot be ready in time is not launched, and started anew instead.

import { type DebugSession, type LogOutputChannel, debug } from "vscode";
import type { Message } from "../debugger/run";
import { debuggerFolders } from "./folders";
import type { Forced } from "./forced";
import { MARK, type Raw, launchOf, sessionOf } from "./launch";
import type { Launches, Prepared } from "./launches";
import { applyPatch } from "./patch";
import type { Answer, Preparer } from "./prepare";

export interface DapRequest extends Message {
    arguments?: Record<string, unknown>;
}

/** VS Code goes on without a tracker after a second. */
const PATIENCE_MS = 900;

interface Renewal {
    answer: Promise<Answer>;
    /** Once it is there. */
    ready?: Answer;
}

export class Restarts {
    /** Sessions whose launch went to a debug adapter: a second launch needs another one. */
    private readonly launched = new Set<string>();
    /** Debug session to the session that its last launch joined. */
    private readonly joined = new Map<string, Prepared>();
    private readonly renewals = new Map<string, Renewal>();

    constructor(
        private readonly launches: Launches,
        private readonly preparer: Preparer,
        private readonly forced: Forced,
        private readonly log: LogOutputChannel,
    ) {}

    /** The session that a restarted debug session, or one of its children, belongs to now. */
    current(session: DebugSession): string | undefined {
        for (let at: DebugSession | undefined = session; at; at = at.parentSession) {
            const joined = this.joined.get(at.id);
            if (joined) return joined.sessionId;
        }
        return undefined;
    }

    private prepared(session: DebugSession): Prepared | undefined {
        return this.joined.get(session.id) ?? this.launches.of(session);
    }

    /** Before a debug adapter starts: waits, as long as VS Code waits, for what its launch needs. */
    async expect(session: DebugSession): Promise<void> {
        const mark = sessionOf(session.configuration);
        if (mark === undefined || !this.launched.has(mark)) return;
        const renewal = this.renew(session);
        await Promise.race([renewal.answer, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
    }

    private renew(session: DebugSession): Renewal {
        const begun = this.renewals.get(session.id);
        if (begun) return begun;
        const old = this.prepared(session);
        const renewal: Renewal = { answer: old ? this.again(old) : Promise.resolve({ run: "not" }) };
        void renewal.answer.then((answer) => (renewal.ready = answer));
        this.renewals.set(session.id, renewal);
        return renewal;
    }

    private again({ sessionId, folder, raw }: Prepared): Promise<Answer> {
        return this.preparer.prepare({ folder, launch: launchOf(raw, debuggerFolders(raw.type)), active: true, again: sessionId });
    }

    /**
     * What VS Code is about to send to the adapter. A tracker returns nothing, and VS Code sends on the very
     * object that it has shown: changing that object in place is the only way to change the message.
     */
    willReceive(session: DebugSession, request: DapRequest): void {
        switch (request.command) {
            case "disconnect":
            case "terminate":
                if (request.arguments?.restart === true) void this.renew(session);
                return;
            case "launch":
                this.launch(session, request);
        }
    }

    private launch(session: DebugSession, request: DapRequest): void {
        const mark = sessionOf(session.configuration);
        if (mark === undefined) return;
        if (!this.launched.has(mark)) {
            this.launched.add(mark);
            return;
        }
        const renewal = this.renewals.get(session.id);
        this.renewals.delete(session.id);
        const old = this.prepared(session);
        if (!old) throw new Error("mirrord knows no launch of this debug session");
        if (renewal?.ready?.run === "patched") {
            const { result, sessionId } = renewal.ready;
            const patched = applyPatch(old.raw, result.patch?.vscode ?? []);
            request.arguments = withPrivate(request.arguments, patched);
            const fresh = { ...old, sessionId };
            this.joined.set(session.id, fresh);
            this.launches.record(fresh);
            return;
        }
        if (renewal?.ready?.run === "plain") {
            request.arguments = withPrivate(request.arguments, old.raw);
            return;
        }
        void this.startAnew(session, old, renewal);
        // Keeps the request from the adapter, which would run the program without its session.
        throw new Error("the restart waits for its session");
    }

    private async startAnew(session: DebugSession, old: Prepared, renewal: Renewal | undefined): Promise<void> {
        const answer = await renewal?.answer;
        await debug.stopDebugging(session);
        if (answer?.run === "not") return;
        this.log.info(`${old.raw.name} is started anew, since its session took longer than VS Code waits`);
        const name = old.raw.name;
        let launch = old.raw;
        if (answer?.run === "patched") {
            launch = { ...applyPatch(old.raw, answer.result.patch?.vscode ?? []), [MARK]: answer.sessionId };
            this.launches.add({ ...old, sessionId: answer.sessionId });
        }
        const how = answer?.run === "plain" ? "plain" : "mirrord";
        await this.forced.during([name], how, () => debug.startDebugging(old.folder, launch, { noDebug: old.raw.noDebug }));
    }

    /** What the adapter is about to tell VS Code; changed in place for the same reason. */
    didSend(message: Message): void {
        const body = message.body as { supportsRestartRequest?: boolean; capabilities?: { supportsRestartRequest?: boolean } } | undefined;
        if (!body) return;
        if (message.type === "response" && message.command === "initialize") body.supportsRestartRequest = false;
        if (message.type === "event" && message.event === "capabilities" && body.capabilities) body.capabilities.supportsRestartRequest = false;
    }

    /** A debug run ended. One that is being replaced by the next keeps what that needs. */
    ended(session: DebugSession): void {
        if (this.renewals.has(session.id)) return;
        const sessionId = this.joined.get(session.id)?.sessionId ?? sessionOf(session.configuration);
        this.joined.delete(session.id);
        if (sessionId !== undefined) void this.launches.endUnused(sessionId);
    }
}

/** Members that VS Code itself added to the request stay. */
function withPrivate(sent: Record<string, unknown> | undefined, launch: Raw): Record<string, unknown> {
    const own = Object.entries(sent ?? {}).filter(([name]) => name.startsWith("__") && name !== MARK);
    return { ...launch, ...Object.fromEntries(own) };
}
