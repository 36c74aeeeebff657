// What a connection is begun with.

import { env, type ExtensionContext, type LogOutputChannel, Uri, workspace } from "vscode";
import type { Picker } from "../picker/picker";
import type { Settings } from "./connection";
import { ownEnvironment } from "./environment";
import { type Found, findServer } from "./find";
import { isExecutable, versionOf } from "./look";

const version = (context: ExtensionContext): string => (context.extension.packageJSON as { version: string }).version;

export const locate = (context: ExtensionContext): Promise<Found> =>
    findServer({
        setting: workspace.isTrusted ? workspace.getConfiguration("mirrord").get("serverPath", "") : "",
        extension: context.extensionPath,
        path: process.env.PATH ?? "",
        version: version(context),
        isExecutable,
        versionOf,
    });

export async function settingsOf(
    context: ExtensionContext,
    log: LogOutputChannel,
    picker: Picker,
    furtherFiles: () => string[],
): Promise<Omit<Settings, "hear" | "began" | "ended">> {
    const { file, why } = await locate(context);
    log.info(`${file} is used: ${why}${env.remoteName ? `, on ${env.remoteName}` : ""}`);
    return {
        server: file,
        version: version(context),
        trusted: workspace.isTrusted,
        environment: ownEnvironment(process.env),
        furtherFiles: furtherFiles(),
        log,
        answers: {
            "mirrord/ui/pickTarget": async ({ title, targets }, token) => ({ ...(await picker.pick(title, targets, token)) }),
        },
    };
}

/** The default files of the folders, where they are none of the usual ones. */
export function defaultFiles(): string[] {
    return (workspace.workspaceFolders ?? []).flatMap(({ uri }) => {
        const setting = workspace.getConfiguration("mirrord", uri).get<string>("defaultConfig", "");
        if (setting === "") return [];
        const path = setting.replaceAll("${workspaceFolder}", uri.fsPath);
        return [path.startsWith("/") ? path : Uri.joinPath(uri, path).fsPath];
    });
}
