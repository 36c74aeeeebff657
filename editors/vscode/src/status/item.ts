// The status item.

import { type Disposable, MarkdownString, StatusBarAlignment, ThemeColor, Uri, window, workspace } from "vscode";
import { counting } from "../configs/commands";
import { currentFolder } from "../configs/folder";
import type { ChosenTargets } from "../picker/chosen";
import type { ConfigFile } from "../server/protocol";
import type { Server } from "../server/server";
import type { Sessions } from "../sessions/sessions";
import type { Toggle } from "../toggle/toggle";
import { wordsOf } from "./words";

const PRIORITY = 50;
const ID = "mirrord.status";

export class StatusItem implements Disposable {
    private readonly item = window.createStatusBarItem(ID, StatusBarAlignment.Left, PRIORITY);
    private config: ConfigFile | undefined;
    private readonly subscriptions: Disposable[];

    constructor(
        private readonly server: Server,
        private readonly sessions: Sessions,
        private readonly toggle: Toggle,
        private readonly chosen: ChosenTargets,
    ) {
        this.item.name = "mirrord";
        this.item.command = "mirrord.menu";
        const paint = () => this.paint();
        const look = () => void this.look();
        this.subscriptions = [
            this.item,
            server.onDidChangeState(look),
            server.on("mirrord/status", paint),
            server.on("mirrord/config/activeChanged", look),
            sessions.onDidChange(paint),
            toggle.onDidChange(paint),
            chosen.onDidChange(paint),
            window.onDidChangeActiveTextEditor(look),
            workspace.onDidSaveTextDocument((document) => document.uri.path.includes("mirrord.") && look()),
            workspace.onDidGrantWorkspaceTrust(paint),
        ];
        this.paint();
        this.item.show();
    }

    private async look(): Promise<void> {
        this.config = undefined;
        const folder = currentFolder();
        if (folder && this.server.state === "on") {
            const { files } = await this.server.ask("mirrord/config/list", { workspace: folder.uri.toString() });
            this.config = counting(files);
        }
        this.paint();
    }

    private paint(): void {
        const { server, config } = this;
        const folder = currentFolder();
        const several = (workspace.workspaceFolders ?? []).length > 1;
        const { text, tooltip, color } = wordsOf({
            on: this.toggle.isOn,
            server: server.state,
            trouble: server.state === "failed" ? server.trouble : (server.status?.message ?? undefined),
            degraded: server.status !== undefined && server.status.state !== "ready",
            target: this.chosen.get(folder)?.path ?? config?.target ?? undefined,
            sessions: this.sessions.list.length,
            folder: several ? folder?.name : undefined,
            config: config && workspace.asRelativePath(Uri.parse(config.uri)),
            trusted: workspace.isTrusted,
        });
        this.item.text = text;
        this.item.tooltip = new MarkdownString(tooltip);
        this.item.backgroundColor = color && new ThemeColor(`statusBarItem.${color}Background`);
    }

    dispose(): void {
        this.subscriptions.forEach((one) => void one.dispose());
    }
}
