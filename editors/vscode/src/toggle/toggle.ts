// The switch for all launches of this workspace.

import { EventEmitter, type ExtensionContext, workspace } from "vscode";

const KEY = "mirrord.active";

export class Toggle {
    private readonly changed = new EventEmitter<void>();
    readonly onDidChange = this.changed.event;

    constructor(private readonly context: ExtensionContext) {
        context.subscriptions.push(
            this.changed,
            workspace.onDidChangeConfiguration((event) => {
                if (event.affectsConfiguration("mirrord.enabledByDefault")) this.changed.fire();
            }),
        );
    }

    /** What the switch and its default say. */
    value(): { toggle: boolean | undefined; enabledByDefault: boolean } {
        return {
            toggle: this.context.workspaceState.get<boolean>(KEY),
            enabledByDefault: workspace.getConfiguration("mirrord").get("enabledByDefault", false),
        };
    }

    get isOn(): boolean {
        const { toggle, enabledByDefault } = this.value();
        return toggle ?? enabledByDefault;
    }

    async set(on: boolean): Promise<void> {
        await this.context.workspaceState.update(KEY, on);
        this.changed.fire();
    }
}
