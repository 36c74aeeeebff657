// The tree view of sessions. Agents, processes and ports are asked again while it is looked at, for
// they change without a session's state changing.

import { type Disposable, EventEmitter, ThemeIcon, type TreeDataProvider, TreeItem, TreeItemCollapsibleState, window } from "vscode";
import type { AgentStatus, Session } from "../server/protocol";
import type { Server } from "../server/server";
import { type Node, nodeOf } from "./model";
import type { Sessions } from "./sessions";

const LOOK_AGAIN_MS = 2000;

export class SessionTree implements TreeDataProvider<Node>, Disposable {
    private readonly emitter = new EventEmitter<void>();
    readonly onDidChangeTreeData = this.emitter.event;
    private readonly agents = new Map<string, AgentStatus>();
    private readonly details = new Map<string, Session>();
    private readonly timer: NodeJS.Timeout;
    private readonly subscriptions: Disposable[];

    constructor(
        private readonly server: Server,
        private readonly sessions: Sessions,
    ) {
        const view = window.createTreeView("mirrord.sessions", { treeDataProvider: this });
        this.subscriptions = [
            this.emitter,
            view,
            sessions.onDidChange(() => {
                this.emitter.fire();
                view.badge = sessions.list.length > 0 ? { value: sessions.list.length, tooltip: "programs in a target" } : undefined;
                void this.look();
            }),
            view.onDidChangeVisibility(({ visible }) => {
                // Whoever looks at it wants to know what runs.
                if (visible) server.connect().catch(() => undefined);
            }),
        ];
        this.timer = setInterval(() => view.visible && void this.look(), LOOK_AGAIN_MS);
    }

    private async look(): Promise<void> {
        if (this.server.state !== "on") return;
        const before = JSON.stringify([[...this.agents], [...this.details]]);
        const ids = this.sessions.list.map(({ sessionId }) => sessionId);
        for (const id of this.details.keys()) {
            if (!ids.includes(id)) [this.details, this.agents].forEach((map) => map.delete(id));
        }
        await Promise.all(
            ids.map(async (sessionId) => {
                try {
                    this.details.set(sessionId, await this.server.ask("mirrord/session/get", { sessionId }));
                    this.agents.set(sessionId, await this.server.ask("mirrord/agent/status", { sessionId }));
                } catch {
                    // It ended while it was asked; the next change of the list says so.
                }
            }),
        );
        if (JSON.stringify([[...this.agents], [...this.details]]) !== before) this.emitter.fire();
    }

    getChildren(node?: Node): Node[] {
        if (node) return node.children;
        return this.sessions.list.map((one) => nodeOf({ ...one, ...this.details.get(one.sessionId), state: one.state }, this.agents.get(one.sessionId)));
    }

    getTreeItem(node: Node): TreeItem {
        const { None, Expanded } = TreeItemCollapsibleState;
        const item = new TreeItem(node.label, node.children.length > 0 ? Expanded : None);
        item.id = node.id;
        item.description = node.description;
        item.iconPath = new ThemeIcon(node.icon);
        item.tooltip = node.tooltip;
        item.contextValue = node.context;
        return item;
    }

    dispose(): void {
        clearInterval(this.timer);
        this.subscriptions.forEach((one) => void one.dispose());
    }
}
