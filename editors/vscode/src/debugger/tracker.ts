// Looks over the debug adapter's shoulder: pid and pauses go to the server; a restart gets a session
// of its own.

import type { DebugAdapterTracker, DebugAdapterTrackerFactory, DebugSession, LogOutputChannel } from "vscode";
import type { Launches } from "../launch/launches";
import { type DapRequest, type Restarts } from "../launch/restart";
import { sessionOf } from "../launch/launch";
import type { Server } from "../server/server";
import { Reporter } from "./reporter";
import { type Message, Run, pidInName } from "./run";

export class Trackers implements DebugAdapterTrackerFactory {
    constructor(
        private readonly server: Server,
        private readonly launches: Launches,
        private readonly restarts: Restarts,
        private readonly log: LogOutputChannel,
    ) {}

    async createDebugAdapterTracker(session: DebugSession): Promise<DebugAdapterTracker | undefined> {
        const belongs = this.launches.of(session) !== undefined;
        if (!belongs) return undefined;
        const isLaunched = sessionOf(session.configuration) !== undefined;
        if (isLaunched) await this.restarts.expect(session);
        const sessionId = () => this.restarts.current(session) ?? this.launches.of(session)?.sessionId;
        const reporter = new Reporter(this.server, sessionId, this.log);
        const run = new Run();
        if (!isLaunched) reporter.tell(pidInName(session.name));
        return {
            onWillReceiveMessage: (message: DapRequest) => {
                if (isLaunched && message.type === "request") this.restarts.willReceive(session, message);
            },
            onDidSendMessage: (message: Message) => {
                if (isLaunched) this.restarts.didSend(message);
                reporter.tell(run.said(message));
            },
            onWillStopSession: () => reporter.tell(run.end()),
            onExit: () => reporter.tell(run.end()),
        };
    }
}
