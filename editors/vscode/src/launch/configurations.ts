// The launch configurations of a folder and of the workspace file, with their compounds, as
// `launch.json` has them; and what a launch of the open file is where there are none.

import type { Raw } from "./launch";

interface Compound {
    name: string;
    configurations?: (string | { name: string })[];
}

export interface LaunchSettings {
    configurations?: Raw[];
    compounds?: Compound[];
}

export interface Startable {
    name: string;
    /** All launches that it starts: its own, or a compound's. */
    members: string[];
    detail: string;
}

/** What can be started, in the file's order. Attaching starts nothing that could be in a pod. */
export function startable(settings: LaunchSettings): Startable[] {
    const single = (settings.configurations ?? [])
        .filter((one) => one.request !== "attach")
        .map((one) => ({ name: one.name, members: [one.name], detail: one.type }));
    const compounds = (settings.compounds ?? []).map((one) => {
        const members = (one.configurations ?? []).map((member) => (typeof member === "string" ? member : member.name));
        return { name: one.name, members, detail: `compound of ${members.join(", ")}` };
    });
    return [...single, ...compounds].filter((one) => typeof one.name === "string");
}

/** Debug types that run a single file without any configuration. */
const BY_LANGUAGE: Record<string, string> = {
    javascript: "node",
    typescript: "node",
    python: "debugpy",
    go: "go",
    ruby: "rdbg",
    php: "php",
};

/** A launch of this file; undefined for languages that must be built first. */
export function launchOfFile(languageId: string, path: string, types: readonly string[]): Raw | undefined {
    const type = BY_LANGUAGE[languageId];
    if (type === undefined || !types.includes(type)) return undefined;
    const name = path.split("/").at(-1) ?? path;
    const folder = path.slice(0, path.lastIndexOf("/")) || "/";
    return { type, request: "launch", name, program: path, cwd: folder, console: "integratedTerminal" };
}
