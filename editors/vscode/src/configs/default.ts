// The folder's default configuration file (`mirrord.defaultConfig`), which counts when nothing else
// names one.

import type { ConfigSource } from "../server/protocol";

/** The file to name in the launch; undefined when the server's own choice stands. */
export function namedByDefault(source: ConfigSource, setting: string, folder: string): string | undefined {
    if (setting === "" || (source !== "default" && source !== "none")) return undefined;
    const path = setting.replaceAll("${workspaceFolder}", folder);
    return path.startsWith("/") ? path : `${folder}/${path}`;
}
