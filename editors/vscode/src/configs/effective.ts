// What a launch of a folder uses when the launch itself names nothing: for the status item and for
// opening that file. The default of the setting is the editor's, so the server is told of it.

import { Uri, type WorkspaceFolder } from "vscode";
import type { ConfigChoice, ResolveParams } from "../server/protocol";
import type { Server } from "../server/server";
import { namedByDefault } from "./default";

export interface Effective {
    config: ConfigChoice;
    target?: string;
}

/** The URI of the file that `mirrord.defaultConfig` names, when nothing else names one. */
export async function named(
    server: Server,
    folder: WorkspaceFolder,
    setting: string,
    launch: Pick<ResolveParams, "env" | "cwd"> = {},
): Promise<string | undefined> {
    if (setting === "") return undefined;
    const { config } = await server.ask("mirrord/config/resolve", { ...launch, workspace: folder.uri.toString() });
    const path = namedByDefault(config.source, setting, folder.uri.fsPath);
    return path && Uri.file(path).toString();
}

/** Fails when the file that counts cannot be read. */
export async function effective(server: Server, folder: WorkspaceFolder, setting: string): Promise<Effective> {
    const configUri = await named(server, folder, setting);
    const { config, values } = await server.ask("mirrord/config/resolve", { workspace: folder.uri.toString(), configUri });
    const target = values.find(({ path }) => path === "target.path")?.value;
    return { config, target: typeof target === "string" ? target : undefined };
}
