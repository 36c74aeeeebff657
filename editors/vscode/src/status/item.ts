// The status item.

import { type Disposable, MarkdownString, StatusBarAlignment, ThemeColor, Uri, type WorkspaceFolder, window, workspace } from "vscode";
import { type Effective, effective } from "../configs/effective";
import { currentFolder } from "../configs/folder";
import { CONFIG_FILES } from "../configs/files";
import type { ChosenTargets } from "../picker/chosen";
import { failureOf } from "../server/failure";
import type { Server } from "../server/server";
import type { Sessions } from "../sessions/sessions";
import type { Toggle } from "../toggle/toggle";
import { wordsOf } from "./words";

const PRIORITY = 50;
const ID = "mirrord.status";

export class StatusItem implements Disposable {
    private readonly item = window.createStatusBarItem(ID, StatusBarAlignment.Left, PRIORITY);
    private config: Effective | undefined;
    /** Why the configuration that counts cannot be read. */
    private trouble: string | undefined;
    /** Of several looks under way the last one counts. */
    private looks = 0;
    private readonly subscriptions: Disposable[];

    constructor(
        private readonly server: Server,
        private readonly sessions: Sessions,
        private readonly toggle: Toggle,
        private readonly chosen: ChosenTargets,
        private readonly defaultConfig: (folder: WorkspaceFolder | undefined) => string,
    ) {
        this.item.name = "mirrord";
        this.item.command = "mirrord.menu";
        const paint = () => this.paint();
        const look = () => void this.look();
        // Also what a checkout or another program changes.
        const files = workspace.createFileSystemWatcher(CONFIG_FILES);
        this.subscriptions = [
            ...[this.item, files, files.onDidCreate(look), files.onDidChange(look), files.onDidDelete(look)],
            server.onDidChangeState(look),
            server.on("mirrord/status", paint),
            server.on("mirrord/config/activeChanged", look),
            sessions.onDidChange(paint),
            toggle.onDidChange(paint),
            chosen.onDidChange(paint),
            window.onDidChangeActiveTextEditor(look),
            // The setting may name one that lies elsewhere.
            workspace.onDidSaveTextDocument(({ uri }) => uri.toString() === this.config?.config.uri && look()),
            workspace.onDidGrantWorkspaceTrust(paint),
        ];
        this.paint();
        this.item.show();
    }

    private async look(): Promise<void> {
        const look = ++this.looks;
        const folder = currentFolder();
        let config: Effective | undefined;
        let trouble: string | undefined;
        if (folder && this.server.state === "on") {
            try {
                config = await effective(this.server, folder, this.defaultConfig(folder));
            } catch (error) {
                trouble = failureOf(error).message;
            }
        }
        if (look !== this.looks) return;
        this.config = config;
        this.trouble = trouble;
        this.paint();
    }

    private paint(): void {
        const { server, config } = this;
        const folder = currentFolder();
        const several = (workspace.workspaceFolders ?? []).length > 1;
        const { text, tooltip, color } = wordsOf({
            on: this.toggle.isOn,
            server: server.state,
            trouble: server.state === "failed" ? server.trouble : (this.trouble ?? server.status?.message ?? undefined),
            degraded: server.status !== undefined && server.status.state !== "ready",
            target: this.chosen.get(folder)?.path ?? config?.target ?? undefined,
            sessions: this.sessions.list.length,
            folder: several ? folder?.name : undefined,
            config: config?.config.uri ? workspace.asRelativePath(Uri.parse(config.config.uri)) : undefined,
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
