// Commands on configuration files, also those of the code lenses.

import { Uri, type WorkspaceFolder, commands, window, workspace } from "vscode";
import { detailOf, failureOf } from "../server/failure";
import type { Server } from "../server/server";
import type { Picker } from "../picker/picker";
import { applyEdit } from "./edit";
import { effective } from "./effective";
import { askFolder, currentFolder } from "./folder";

const KINDS: Record<string, string> = { active: "active", default: "used when none is active", launch: "named by the launch", found: "" };

export async function selectActive(server: Server): Promise<void> {
    const folder = await askFolder();
    if (!folder) return noFolder();
    const { files } = await server.ask("mirrord/config/list", { workspace: folder.uri.toString() });
    const items: { label: string; description: string; uri?: string; create?: boolean }[] = files.map((file) => ({
        label: `${file.valid ? "$(file)" : "$(error)"} ${workspace.asRelativePath(Uri.parse(file.uri), false)}`,
        description: [KINDS[file.kind] ?? "", file.target ?? "no target"].filter(Boolean).join(" · "),
        uri: file.uri,
    }));
    items.push({ label: "$(circle-slash) None", description: "the default counts again" });
    items.push({ label: "$(add) Create a configuration…", description: "", create: true });
    const picked = await window.showQuickPick(items, { title: "Active configuration", placeHolder: `For launches of ${folder.name}` });
    if (!picked) return;
    if (picked.create) return createConfig(server);
    await server.ask("mirrord/config/setActive", { workspace: folder.uri.toString(), uri: picked.uri });
}

export async function createConfig(server: Server): Promise<void> {
    const folder = await askFolder();
    if (!folder) return noFolder();
    const formats = [
        { label: "JSON", format: "json" },
        { label: "YAML", format: "yaml" },
        { label: "TOML", format: "toml" },
    ];
    const picked = await window.showQuickPick(formats, { title: "Language of the new configuration" });
    if (!picked) return;
    const asked = { workspace: folder.uri.toString(), format: picked.format };
    const make = (name?: string) => server.ask("mirrord/config/create", { ...asked, name });
    let made;
    try {
        made = await make();
    } catch (error) {
        if (failureOf(error).kind !== "conflict") throw error;
        const prompt = "There is a configuration already. The new one's name, without ending:";
        const name = await window.showInputBox({ title: "New configuration", prompt });
        if (!name) return;
        made = await make(name);
    }
    await applyEdit(made.edit);
}

/** The file that a launch of the open file's folder would use. */
export async function openConfig(server: Server, defaultConfig: (folder: WorkspaceFolder) => string): Promise<void> {
    const folder = currentFolder();
    if (!folder) return noFolder();
    const { config } = await effective(server, folder, defaultConfig(folder));
    if (config.uri) return void (await window.showTextDocument(Uri.parse(config.uri)));
    const create = "Create one";
    if ((await window.showInformationMessage("Launches of this folder use no configuration file.", create)) === create) await createConfig(server);
}

export async function setActive(server: Server, { uri }: { uri: string }): Promise<void> {
    const folder = workspace.getWorkspaceFolder(Uri.parse(uri)) ?? currentFolder();
    if (!folder) return noFolder();
    await server.ask("mirrord/config/setActive", { workspace: folder.uri.toString(), uri });
    void window.showInformationMessage(`${workspace.asRelativePath(Uri.parse(uri))} is the active configuration of ${folder.name}.`);
}

/** A code lens: the picked target is written into the file. */
export async function pickTarget(server: Server, picker: Picker, { uri }: { uri: string }): Promise<void> {
    const picked = await picker.pick("The target of this configuration", []);
    if (!picked) return;
    const { edit } = await server.ask("mirrord/config/setTarget", { uri, target: picked.path });
    await applyEdit(edit);
}

export async function testConnection(server: Server, asked: { target: string; context?: string; namespace?: string }): Promise<void> {
    const { target: path, context, namespace } = asked;
    try {
        const found = await server.ask("mirrord/targets/describe", { path, context, namespace });
        const { ready, reason } = found.target;
        if (!ready) return void window.showWarningMessage(`${path} is there, and not ready${reason ? `: ${reason}` : ""}.`);
        const containers = found.containers.map((one) => `${one.name} (listens on ${one.ports.join(", ") || "nothing"})`);
        void window.showInformationMessage(`${path} can be used. ${containers.join("; ")}`);
    } catch (error) {
        const failure = failureOf(error);
        void window.showErrorMessage(`${failure.message}. ${detailOf(failure)}`);
    }
}

async function noFolder(): Promise<void> {
    const open = "Open a folder";
    if ((await window.showInformationMessage("Configurations belong to a folder, and none is open.", open)) === open) {
        await commands.executeCommand("vscode.openFolder");
    }
}
