// "Select the target for launches": of the open file's folder, until it is given back to the
// configuration.

import { window, workspace } from "vscode";
import type { ChosenTargets } from "./chosen";
import type { Picker } from "./picker";
import { currentFolder } from "../configs/folder";

export async function selectTarget(picker: Picker, chosen: ChosenTargets): Promise<void> {
    const folder = currentFolder();
    const now = chosen.get(folder);
    if (now) {
        const other = "Another target";
        const none = "The configuration's, or ask";
        const title = `Launches run in ${now.path}`;
        const picked = await window.showQuickPick([other, none], { title });
        if (picked === none) await chosen.set(folder, undefined);
        if (picked !== other) return;
    }
    const several = (workspace.workspaceFolders ?? []).length > 1;
    const picked = await picker.pick(several && folder ? `Run ${folder.name} in` : "Run in", []);
    if (picked) await chosen.set(folder, picked);
}
