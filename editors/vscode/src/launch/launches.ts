// What was prepared in this window: which session belongs to which launch, and whether its debug run
// began. A session whose launch never comes ends by itself after a minute; one whose build still runs
// is kept waiting.

import { type DebugSession, type Disposable, type WorkspaceFolder, debug, tasks } from "vscode";
import type { Server } from "../server/server";
import type { Raw } from "./launch";
import { MARK, sessionOf } from "./launch";

export interface Prepared {
    sessionId: string;
    folder: WorkspaceFolder | undefined;
    /** The configuration as it was before the patch. */
    raw: Raw;
    target: string;
}

const KEEP_EVERY_MS = 30_000;
/** How often, and how far apart, it is looked whether a session's programs have ended. */
const LOOKS = 20;
const LOOK_MS = 250;

export class Launches implements Disposable {
    private readonly prepared = new Map<string, Prepared>();
    /** Debug sessions that run now and have joined a session themselves. */
    private readonly running = new Set<DebugSession>();
    private readonly waiting = new Map<string, NodeJS.Timeout>();
    private readonly subscriptions: Disposable[];

    constructor(private readonly server: Server) {
        this.subscriptions = [
            debug.onDidStartDebugSession((session) => this.began(session)),
            debug.onDidTerminateDebugSession((session) => this.running.delete(session)),
            server.on("mirrord/session/changed", ({ session }) => {
                if (session.state === "ended") this.stopWaiting(session.sessionId);
            }),
        ];
    }

    /** It waits for its launch from now on. */
    add(launch: Prepared): void {
        this.record(launch);
        const keep = () => {
            // Only a build is waited for; nobody comes back to a launch that failed.
            if (tasks.taskExecutions.length > 0) void this.keep(launch.sessionId);
        };
        this.waiting.set(launch.sessionId, setInterval(keep, KEEP_EVERY_MS));
    }

    /** Its debug session runs already. */
    record(launch: Prepared): void {
        this.prepared.set(launch.sessionId, launch);
    }

    private async keep(sessionId: string): Promise<void> {
        try {
            await this.server.ask("mirrord/launch/keep", { sessionId });
        } catch {
            this.stopWaiting(sessionId);
        }
    }

    get(sessionId: string): Prepared | undefined {
        return this.prepared.get(sessionId);
    }

    /** The debug session's own launch, or the one of the debug session that made it. */
    of(session: DebugSession | undefined): Prepared | undefined {
        for (let at = session; at; at = at.parentSession) {
            const id = sessionOf(at.configuration);
            if (id !== undefined) return this.prepared.get(id) ?? this.unknown(id, at);
        }
        return undefined;
    }

    /** Of a window before it was reloaded. */
    private unknown(sessionId: string, session: DebugSession): Prepared {
        const raw: Raw = { ...session.configuration };
        delete raw[MARK];
        return { sessionId, raw, folder: session.workspaceFolder, target: "" };
    }

    private began(session: DebugSession): void {
        const id = sessionOf(session.configuration);
        if (id === undefined) return;
        this.running.add(session);
        this.stopWaiting(id);
    }

    /** The debug session of a session. `current` knows those that were restarted. */
    debugSession(sessionId: string, current: (session: DebugSession) => string | undefined): DebugSession | undefined {
        return [...this.running].find((one) => (current(one) ?? sessionOf(one.configuration)) === sessionId);
    }

    private stopWaiting(sessionId: string): void {
        clearInterval(this.waiting.get(sessionId));
        this.waiting.delete(sessionId);
    }

    /**
     * After its debug run a session in which nothing runs is ended. One whose debuggee was never told
     * (no adapter must tell a pid) would wait a minute for another program. What still runs keeps it.
     */
    async endUnused(sessionId: string): Promise<void> {
        try {
            for (let look = 0; look < LOOKS; look++) {
                const { state, processes } = await this.server.ask("mirrord/session/get", { sessionId });
                if (state === "ready") return await this.abort(sessionId);
                if (processes.length === 0) {
                    await this.server.ask("mirrord/session/stop", { sessionId, graceMs: 0 });
                    return;
                }
                // The debugger itself may be just about to end.
                await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
            }
        } catch {
            // It is gone, as it should be.
        }
    }

    /** The launch will not come. */
    async abort(sessionId: string): Promise<void> {
        this.stopWaiting(sessionId);
        await this.server.ask("mirrord/launch/abort", { sessionId });
    }

    dispose(): void {
        this.subscriptions.forEach((one) => void one.dispose());
        this.waiting.forEach((timer) => clearInterval(timer));
    }
}
