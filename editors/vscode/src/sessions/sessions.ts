// All sessions of this user, whoever began them, as the server tells.

import { type Disposable, EventEmitter } from "vscode";
import type { Session } from "../server/protocol";
import type { Server } from "../server/server";
import { changed } from "./model";

export class Sessions implements Disposable {
    list: Session[] = [];
    private readonly emitter = new EventEmitter<void>();
    readonly onDidChange = this.emitter.event;
    private readonly subscriptions: Disposable[];

    constructor(private readonly server: Server) {
        this.subscriptions = [
            this.emitter,
            server.on("mirrord/session/changed", ({ session }) => this.become(changed(this.list, session))),
            server.onDidChangeState((state) => {
                // After a new connection sessions may have gone or come unseen.
                if (state === "on") void this.refresh();
                else if (state !== "starting") this.become([]);
            }),
        ];
    }

    async refresh(): Promise<void> {
        const { sessions } = await this.server.ask("mirrord/session/list", {});
        this.become(sessions);
    }

    get(sessionId: string): Session | undefined {
        return this.list.find((one) => one.sessionId === sessionId);
    }

    private become(list: Session[]): void {
        this.list = list;
        this.emitter.fire();
    }

    dispose(): void {
        this.subscriptions.forEach((one) => void one.dispose());
    }
}
