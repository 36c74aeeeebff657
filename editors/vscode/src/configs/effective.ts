// What a launch of a folder uses when the launch itself names nothing: for the status item and for
// opening that file. The default of the setting is the editor's, so the server is told of it.

import { Uri, type WorkspaceFolder } from "vscode";
import type { ConfigChoice, ResolveParams, ResolveResult } from "../server/protocol";
import type { Server } from "../server/server";
import { namedByDefault } from "./default";

export interface Effective {
    config: ConfigChoice;
    target?: string;
}

/** The URI of the file that `mirrord.defaultConfig` names, when nothing else names one. */
export async function named(server: Server, folder: WorkspaceFolder, setting: string, launch: Asked): Promise<string | undefined> {
    return setting === "" ? undefined : (await ask(server, folder, setting, launch)).configUri;
}

/** Fails when the file that counts cannot be read. */
export async function effective(server: Server, folder: WorkspaceFolder, setting: string): Promise<Effective> {
    const { answer, configUri } = await ask(server, folder, setting, {});
    const { config, values } = configUri === undefined ? answer : await server.ask("mirrord/config/resolve", { workspace: folder.uri.toString(), configUri });
    const target = values.find(({ path }) => path === "target.path")?.value;
    return { config, target: typeof target === "string" ? target : undefined };
}

type Asked = Pick<ResolveParams, "env" | "cwd">;

/** What counts by the server's own rules; and the setting's file, when that counts instead. */
async function ask(server: Server, folder: WorkspaceFolder, setting: string, launch: Asked): Promise<{ answer: ResolveResult; configUri?: string }> {
    const answer = await server.ask("mirrord/config/resolve", { ...launch, workspace: folder.uri.toString() });
    const path = namedByDefault(answer.config.source, setting, folder.uri.fsPath);
    return { answer, configUri: path && Uri.file(path).toString() };
}
