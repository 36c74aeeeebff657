// The status item's menu.

import { type QuickPickItem, QuickPickItemKind, commands, window } from "vscode";
import type { ChosenTargets } from "../picker/chosen";
import type { Server } from "../server/server";
import type { Sessions } from "../sessions/sessions";
import type { Toggle } from "../toggle/toggle";
import { currentFolder } from "../configs/folder";

interface Item extends QuickPickItem {
    command?: string;
}

export async function menu(server: Server, sessions: Sessions, toggle: Toggle, chosen: ChosenTargets): Promise<void> {
    const line = (label: string): Item => ({ label, kind: QuickPickItemKind.Separator });
    const trouble: Item[] =
        server.state === "failed"
            ? [
                  { label: "$(error) The server does not run", description: server.trouble, command: "mirrord.showLog" },
                  { label: "$(refresh) Connect again", command: "mirrord.restartServer" },
              ]
            : [];
    const count = sessions.list.length;
    const items: Item[] = [
        ...trouble,
        { label: toggle.isOn ? "$(circle-slash) Switch off" : "$(plug) Switch on", description: "for all launches of this workspace", command: "mirrord.toggle" },
        { label: "$(debug-alt) Debug with mirrord", command: "mirrord.debugWithMirrord" },
        { label: "$(run) Run with mirrord", command: "mirrord.runWithMirrord" },
        { label: "$(terminal) Terminal inside a target", command: "mirrord.terminal" },
        line("where"),
        { label: "$(target) Select the target", description: chosen.get(currentFolder())?.path, command: "mirrord.selectTarget" },
        { label: "$(settings-gear) Select the active configuration", command: "mirrord.selectActiveConfig" },
        { label: "$(go-to-file) Open the configuration", command: "mirrord.openConfig" },
        line("look"),
        { label: "$(pulse) Activity", command: "mirrord.activity.show" },
        { label: "$(list-tree) Sessions", description: count > 0 ? String(count) : "none", command: "mirrord.sessions.focus" },
        { label: "$(checklist) Doctor", command: "mirrord.doctor" },
        { label: "$(book) Walkthrough", command: "mirrord.openWalkthrough" },
    ];
    const picked = await window.showQuickPick(items, { title: "mirrord" });
    if (picked?.command) await commands.executeCommand(picked.command);
}
