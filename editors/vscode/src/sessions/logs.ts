// A session's log as a read-only document.

import { type Disposable, EventEmitter, Uri, window, workspace } from "vscode";
import type { Session } from "../server/protocol";
import type { Server } from "../server/server";

const SCHEME = "mirrord-log";

export class LogDocuments implements Disposable {
    private readonly emitter = new EventEmitter<Uri>();
    private readonly registration: Disposable;

    constructor(private readonly server: Server) {
        this.registration = workspace.registerTextDocumentContentProvider(SCHEME, {
            onDidChange: this.emitter.event,
            provideTextDocumentContent: (uri) => this.text(uri.query),
        });
    }

    private async text(sessionId: string): Promise<string> {
        const { lines } = await this.server.ask("mirrord/session/logs", { sessionId });
        return lines.map(({ source, text }) => `${source.padEnd(6)} ${text}`).join("\n");
    }

    async open({ sessionId, name }: Session): Promise<void> {
        const uri = Uri.from({ scheme: SCHEME, path: `/${name || sessionId}.log`, query: sessionId });
        // Opened before: its text is asked again.
        this.emitter.fire(uri);
        const document = await workspace.openTextDocument(uri);
        await window.showTextDocument(document, { preview: true });
    }

    dispose(): void {
        this.registration.dispose();
        this.emitter.dispose();
    }
}
