// Commands on a session. From the palette the only one is meant, or the user is asked.

import { type DebugSession, ProgressLocation, debug, window } from "vscode";
import { applyEdit } from "../configs/edit";
import type { Forced } from "../launch/forced";
import type { Launches } from "../launch/launches";
import type { Session } from "../server/protocol";
import type { Server } from "../server/server";
import type { LogDocuments } from "./logs";
import type { Sessions } from "./sessions";

const GRACE_MS = 2000;

export class SessionCommands {
    constructor(
        private readonly server: Server,
        private readonly sessions: Sessions,
        private readonly launches: Launches,
        private readonly forced: Forced,
        private readonly logs: LogDocuments,
        private readonly current: (session: DebugSession) => string | undefined,
    ) {}

    /** The session of a tree's node, the only one, or the one that the user picks. */
    async session(node: { sessionId?: string } | undefined): Promise<Session | undefined> {
        if (this.server.state !== "on") await this.sessions.refresh();
        const known = node?.sessionId === undefined ? undefined : this.sessions.get(node.sessionId);
        if (known) return known;
        const { list } = this.sessions;
        if (list.length === 0) {
            void window.showInformationMessage("No program runs in a target.");
            return undefined;
        }
        if (list.length === 1) return list[0];
        const items = list.map((session) => ({ label: session.name, description: session.target, session }));
        return (await window.showQuickPick(items, { title: "Which session?" }))?.session;
    }

    async stop(node?: { sessionId?: string }): Promise<void> {
        const session = await this.session(node);
        if (!session) return;
        const { sessionId, name } = session;
        const title = `mirrord: ending ${name}`;
        await window.withProgress({ location: ProgressLocation.Window, title }, () =>
            this.server.ask("mirrord/session/stop", { sessionId, graceMs: GRACE_MS }),
        );
    }

    /** Ends its debug session and starts its launch again. */
    async restart(node?: { sessionId?: string }): Promise<void> {
        const session = await this.session(node);
        if (!session) return;
        const { sessionId } = session;
        const launch = this.launches.get(sessionId);
        if (!launch) {
            void window.showInformationMessage(`${session.name} was not launched from this window; start it again where it was launched.`);
            return;
        }
        const running = this.launches.debugSession(sessionId, this.current);
        if (running) await debug.stopDebugging(running);
        await this.server.ask("mirrord/session/stop", { sessionId, graceMs: GRACE_MS }).catch(() => undefined);
        const { raw, folder } = launch;
        await this.forced.during([raw.name], "mirrord", () => debug.startDebugging(folder, raw, { noDebug: raw.noDebug }));
    }

    async openLog(node?: { sessionId?: string }): Promise<void> {
        const session = await this.session(node);
        if (session) await this.logs.open(session);
    }

    async configFromSession(node?: { sessionId?: string }): Promise<void> {
        const session = await this.session(node);
        if (!session) return;
        const { sessionId } = session;
        const uri = session.config?.uri ?? undefined;
        const change = "Change the configuration that it uses";
        const create = "Make a new configuration";
        const how = uri ? await window.showQuickPick([change, create], { title: "Configuration from this run" }) : create;
        if (!how) return;
        const proposed = await this.server.ask("mirrord/config/fromSession", { sessionId, uri: how === change ? uri : undefined });
        await applyEdit(proposed.edit);
        const notes = proposed.notes ?? [];
        if (notes.length > 0) void window.showInformationMessage(notes.join(" "));
    }

    /** Real requests are sent to the pod: only after the user agreed. */
    async prove(node?: { sessionId?: string }): Promise<void> {
        const session = await this.session(node);
        if (!session) return;
        const send = "Send";
        const detail =
            "One request that matches the session's filter and one that does not are sent to the pod's own address. Its program, or yours, will answer them.";
        if ((await window.showInformationMessage(`Send requests to ${session.target}?`, { modal: true, detail }, send)) !== send) return;
        const { requests, note } = await this.server.ask("mirrord/session/proveIncoming", { sessionId: session.sessionId, confirmed: true });
        const who: Record<string, string> = { local: "your program", pod: "the pod's own program", nobody: "nobody" };
        const lines = requests.map(
            ({ port, matching, answeredBy, detail }) =>
                `Port ${port}, ${matching ? "matching" : "not matching"}: answered by ${who[answeredBy] ?? answeredBy}. ${detail}`,
        );
        const text = [...lines, ...(note ? [note] : [])].join("\n");
        void window.showInformationMessage("Who answered", { modal: true, detail: text || "This session takes no port." });
    }
}

