// Which `mirrord-server` is used: the setting's, the one on PATH when it is of our version (command
// line and editor then share one daemon), else the extension's own.

import { delimiter, join } from "node:path";

export interface Surroundings {
    /** `mirrord.serverPath`. */
    setting: string;
    /** The extension's folder. */
    extension: string;
    /** PATH. */
    path: string;
    /** The extension's version. */
    version: string;
    isExecutable(file: string): boolean;
    /** What `--version` says; undefined when it cannot be run. */
    versionOf(file: string): Promise<string | undefined>;
}

export interface Found {
    file: string;
    /** Why this one, for the log. */
    why: string;
}

const NAME = "mirrord-server";

export async function findServer(around: Surroundings): Promise<Found> {
    const { setting, extension, version } = around;
    if (setting !== "") {
        if (around.isExecutable(setting)) return { file: setting, why: "the setting mirrord.serverPath names it" };
        throw new Error(`the setting mirrord.serverPath names ${setting}, which is no program that can be run here`);
    }
    const onPath = around.path
        .split(delimiter)
        .filter((folder) => folder.startsWith("/"))
        .map((folder) => join(folder, NAME))
        .find((file) => around.isExecutable(file));
    const own = join(extension, "server", NAME);
    const hasOwn = around.isExecutable(own);
    if (onPath !== undefined) {
        const other = await around.versionOf(onPath);
        if (other === version) return { file: onPath, why: "it is the one on PATH" };
        const why = `${onPath} has the version ${other ?? "that it does not tell"}, this extension has ${version}`;
        if (hasOwn) return { file: own, why: `it is the extension's own; ${why}` };
        throw new Error(`${why}. Install the same version of both, or set mirrord.serverPath`);
    }
    if (hasOwn) return { file: own, why: "it is the extension's own" };
    throw new Error(
        `there is no ${NAME} for this machine: none in the extension, none on PATH. Install the extension for this ` +
            "platform (Linux x86_64), or set mirrord.serverPath",
    );
}
