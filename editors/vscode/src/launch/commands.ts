// "Run with mirrord" and "Debug with mirrord": a launch configuration of the workspace, or the open
// file, whatever the switch says.

import { type ExtensionContext, type LogOutputChannel, Uri, type WorkspaceFolder, commands, debug, window, workspace } from "vscode";
import { registerCommands } from "../commands";
import { debugTypes } from "./folders";
import type { Forced } from "./forced";
import { type LaunchSettings, type Startable, launchOfFile, startable } from "./configurations";

interface Choice extends Startable {
    folder: WorkspaceFolder | undefined;
}

const LAST = "mirrord.lastLaunch";

export function registerRunCommands(context: ExtensionContext, log: LogOutputChannel, forced: Forced): void {
    const start = (noDebug: boolean) => async (argument?: unknown): Promise<void> => {
        const active = argument instanceof Uri ? argument : window.activeTextEditor?.document.uri;
        const folder = active && workspace.getWorkspaceFolder(active);
        const choices = startables(folder);
        if (choices.length === 0) return startFile(active, folder, noDebug, forced);
        const picked = choices.length === 1 ? choices[0] : await pick(context, choices, noDebug);
        if (!picked) return;
        await context.workspaceState.update(LAST, picked.name);
        await forced.during([picked.name, ...picked.members], "mirrord", () => debug.startDebugging(picked.folder, picked.name, { noDebug }));
    };
    registerCommands(context, log, { "mirrord.runWithMirrord": start(true), "mirrord.debugWithMirrord": start(false) });
}

/** Those of the file's folder first. */
function startables(first: WorkspaceFolder | undefined): Choice[] {
    const folders = [...(workspace.workspaceFolders ?? [])].sort((a, b) => Number(b === first) - Number(a === first));
    const ofFolders = folders.flatMap((folder) => {
        const inspected = workspace.getConfiguration("launch", folder.uri).inspect<LaunchSettings["configurations"]>("configurations");
        const compounds = workspace.getConfiguration("launch", folder.uri).inspect<LaunchSettings["compounds"]>("compounds");
        const settings = { configurations: inspected?.workspaceFolderValue, compounds: compounds?.workspaceFolderValue };
        return startable(settings).map((one) => ({ ...one, folder }));
    });
    if (!workspace.workspaceFile) return ofFolders;
    const ofFile = workspace.getConfiguration("launch").inspect<LaunchSettings["configurations"]>("configurations");
    const compounds = workspace.getConfiguration("launch").inspect<LaunchSettings["compounds"]>("compounds");
    const settings = { configurations: ofFile?.workspaceValue, compounds: compounds?.workspaceValue };
    return [...ofFolders, ...startable(settings).map((one) => ({ ...one, folder: undefined }))];
}

async function pick(context: ExtensionContext, choices: Choice[], noDebug: boolean): Promise<Choice | undefined> {
    const last = context.workspaceState.get<string>(LAST);
    const sorted = [...choices].sort((a, b) => Number(b.name === last) - Number(a.name === last));
    const several = (workspace.workspaceFolders ?? []).length > 1;
    const items = sorted.map((choice) => ({
        label: choice.name,
        description: several ? choice.folder?.name : undefined,
        detail: choice.detail,
        choice,
    }));
    const title = noDebug ? "Run with mirrord" : "Debug with mirrord";
    const picked = await window.showQuickPick(items, { title, placeHolder: "Which launch configuration?", matchOnDetail: true });
    return picked?.choice;
}

async function startFile(file: Uri | undefined, folder: WorkspaceFolder | undefined, noDebug: boolean, forced: Forced): Promise<void> {
    const document = file && workspace.textDocuments.find((one) => one.uri.toString() === file.toString());
    const raw = document && file.scheme === "file" ? launchOfFile(document.languageId, file.fsPath, debugTypes()) : undefined;
    if (raw) {
        await forced.during([raw.name], "mirrord", () => debug.startDebugging(folder, raw, { noDebug }));
        return;
    }
    const create = "Create launch.json";
    const message = "There is no launch configuration to run with mirrord, and the open file cannot be started by itself.";
    if ((await window.showInformationMessage(message, create)) === create) await commands.executeCommand("debug.addConfiguration");
}
