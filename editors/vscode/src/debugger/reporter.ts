// Tells the server about one debuggee: `bind` once its pid is known, then each pause. In the order in
// which it happened.

import type { LogOutputChannel } from "vscode";
import { failureOf } from "../server/failure";
import type { Server } from "../server/server";
import type { Finding } from "./run";

export class Reporter {
    private pid: number | undefined;
    private port: number | undefined;
    private last: Promise<void> = Promise.resolve();

    constructor(
        private readonly server: Server,
        private readonly sessionId: () => string | undefined,
        private readonly log: LogOutputChannel,
    ) {}

    tell(findings: Finding[]): void {
        for (const finding of findings) this.last = this.last.then(() => this.one(finding)).catch((error) => this.failed(error));
    }

    private async one(finding: Finding): Promise<void> {
        const sessionId = this.sessionId();
        if (sessionId === undefined) return;
        switch (finding.kind) {
            case "port":
                this.port = finding.port;
                return;
            case "pid":
                this.pid = finding.pid;
                await this.server.ask("mirrord/launch/bind", { sessionId, pid: finding.pid, debuggerPort: this.port });
                return;
            default: {
                const pid = (this.pid ??= await this.lastProcess(sessionId));
                if (pid !== undefined) await this.server.ask("mirrord/debug/state", { sessionId, pid, state: finding.kind });
            }
        }
    }

    /** For adapters that tell no pid: what was launched is the last process, after the debugger and its helpers. */
    private async lastProcess(sessionId: string): Promise<number | undefined> {
        const { processes } = await this.server.ask("mirrord/session/get", { sessionId });
        const pid = processes.at(-1)?.pid;
        if (pid !== undefined) await this.server.ask("mirrord/launch/bind", { sessionId, pid, debuggerPort: this.port });
        return pid;
    }

    /** The run goes on without it; a session that is over is told often. */
    private failed(error: unknown): void {
        const { kind, message } = failureOf(error);
        if (kind === "notFound" || kind === "wrongState") this.log.debug(message);
        else this.log.warn(message);
    }
}
