// The folder that commands without one mean: the open file's, else the only or first one.

import { type WorkspaceFolder, window, workspace } from "vscode";

export function currentFolder(): WorkspaceFolder | undefined {
    const open = window.activeTextEditor?.document.uri;
    return (open && workspace.getWorkspaceFolder(open)) ?? workspace.workspaceFolders?.[0];
}

/** Asks where there are several. */
export async function askFolder(): Promise<WorkspaceFolder | undefined> {
    const folders = workspace.workspaceFolders ?? [];
    return folders.length > 1 ? window.showWorkspaceFolderPick() : folders[0];
}
