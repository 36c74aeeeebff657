// The activity panel. It subscribes only while it is seen; decisions "local" are told only when they
// are asked for, since telling them costs the program's fast path.

import { type Disposable, Uri, type WebviewView, type WebviewViewProvider, commands, env, window } from "vscode";
import { applyEdit } from "../configs/edit";
import { failureOf } from "../server/failure";
import type { Server } from "../server/server";
import type { Sessions } from "../sessions/sessions";
import { Entries, type Entry } from "./entry";
import type { FromPage, ToPage } from "./messages";
import { pageOf } from "./page";

const LIMIT = 5000;
/** Entries are sent together, at most so often. */
const FRAME_MS = 50;

export class ActivityView implements WebviewViewProvider, Disposable {
    private readonly entries = new Map<string, Entries>();
    private view: WebviewView | undefined;
    private current: string | undefined;
    /** What is subscribed: the session, and whether with local decisions. */
    private subscribed: string | undefined;
    private local = false;
    private readonly waiting = new Map<number, Entry>();
    private frame: NodeJS.Timeout | undefined;
    private readonly subscriptions: Disposable[];

    constructor(
        private readonly server: Server,
        private readonly sessions: Sessions,
        private readonly extension: Uri,
    ) {
        this.subscriptions = [
            server.on("mirrord/session/event", (event) => {
                const entry = this.of(event.sessionId).add(event);
                if (entry && event.sessionId === this.current) this.later(entry);
            }),
            sessions.onDidChange(() => this.sessionsChanged()),
            server.onDidChangeState((state) => {
                if (state !== "on") this.subscribed = undefined;
                else void this.subscribe();
            }),
        ];
    }

    private of(sessionId: string): Entries {
        const known = this.entries.get(sessionId);
        if (known) return known;
        const fresh = new Entries(LIMIT);
        this.entries.set(sessionId, fresh);
        return fresh;
    }

    resolveWebviewView(view: WebviewView): void {
        this.view = view;
        const media = Uri.joinPath(this.extension, "dist");
        view.webview.options = { enableScripts: true, localResourceRoots: [media, Uri.joinPath(this.extension, "media")] };
        view.webview.onDidReceiveMessage((message: FromPage) => void this.hear(message));
        view.onDidChangeVisibility(() => void this.subscribe());
        view.onDidDispose(() => {
            this.view = undefined;
            void this.subscribe();
        });
        view.webview.html = pageOf(view.webview, this.extension);
    }

    /** Shows the panel, and this session in it. */
    async show(sessionId?: string): Promise<void> {
        if (sessionId !== undefined) this.current = sessionId;
        await commands.executeCommand("mirrord.activity.focus");
        this.sessionsChanged();
    }

    private sessionsChanged(): void {
        const live = this.sessions.list;
        // The last one that ended stays readable until another one begins.
        if (live.length > 0 && !live.some(({ sessionId }) => sessionId === this.current)) this.current = live[0]?.sessionId;
        for (const id of this.entries.keys()) {
            if (id !== this.current && !live.some(({ sessionId }) => sessionId === id)) this.entries.delete(id);
        }
        const choices = live.map(({ sessionId, name, target }) => ({ sessionId, label: `${name} in ${target}` }));
        this.send({ kind: "sessions", sessions: choices, current: this.current });
        void this.subscribe();
    }

    private async hear(message: FromPage): Promise<void> {
        switch (message.kind) {
            case "ready":
                // Whoever opens it wants to know what runs.
                await this.server.connect().catch(() => undefined);
                this.sessionsChanged();
                return this.whole();
            case "session":
                this.current = message.sessionId;
                await this.subscribe();
                return this.whole();
            case "local":
                this.local = message.wanted;
                return this.subscribe();
            case "copy":
                await env.clipboard.writeText(message.text);
                return void window.setStatusBarMessage("Copied", 2000);
            case "rule":
                return this.rule(message);
        }
    }

    private whole(): void {
        this.waiting.clear();
        const entries = this.current === undefined ? [] : this.of(this.current).all();
        this.send({ kind: "entries", entries, fresh: true });
    }

    private later(entry: Entry): void {
        this.waiting.set(entry.seq, entry);
        this.frame ??= setTimeout(() => {
            this.frame = undefined;
            const entries = [...this.waiting.values()];
            this.waiting.clear();
            this.send({ kind: "entries", entries, fresh: false });
        }, FRAME_MS);
    }

    private send(message: ToPage): void {
        void this.view?.webview.postMessage(message);
    }

    private async subscribe(): Promise<void> {
        const wanted = this.view?.visible ? this.current : undefined;
        const key = wanted && `${wanted} ${this.local}`;
        if (key === this.subscribed || this.server.state !== "on") return;
        const before = this.subscribed?.split(" ")[0];
        this.subscribed = key;
        try {
            if (before !== undefined && this.sessions.get(before)) await this.server.ask("mirrord/session/unsubscribe", { sessionId: before });
            if (wanted !== undefined && this.sessions.get(wanted)) {
                const sinceSeq = this.of(wanted).lastSeq + 1;
                await this.server.ask("mirrord/session/subscribe", { sessionId: wanted, sinceSeq, local: this.local });
                this.whole();
            }
        } catch (error) {
            // It ended in this moment; the list of sessions says so.
            if (failureOf(error).kind !== "notFound") throw error;
        }
    }

    private async rule({ subject, value, action }: Extract<FromPage, { kind: "rule" }>): Promise<void> {
        if (this.current === undefined) return;
        try {
            const changed = await this.server.ask("mirrord/session/rule", { sessionId: this.current, subject, value, action });
            const keep = "Keep it in the configuration";
            const copy = "Copy the key";
            const message = `From now on ${value} is ${WORDS[action] ?? action} in this session.`;
            const picked = await window.showInformationMessage(message, changed.edit ? keep : copy);
            if (picked === keep && changed.edit) await applyEdit(changed.edit);
            if (picked === copy) await env.clipboard.writeText(`${changed.key.join(".")}: ${JSON.stringify(changed.value)}`);
        } catch (error) {
            const { message, help } = failureOf(error);
            void window.showErrorMessage(help ? `${message}. ${help}` : message);
        }
    }

    dispose(): void {
        clearTimeout(this.frame);
        this.subscriptions.forEach((one) => void one.dispose());
    }
}

const WORDS: Record<string, string> = {
    local: "local",
    remote: "the pod's",
    readOnly: "the pod's, for reading only",
    notFound: "not found",
    steal: "stolen",
    mirror: "mirrored",
    off: "left to the pod",
};
