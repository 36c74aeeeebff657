// From a launch configuration to what `mirrord/launch/prepare` wants to know of it.

import type { Launch } from "../server/protocol";
import { environmentOf } from "./environment";

/** What VS Code's configurations have; every adapter adds its own. */
export interface Raw {
    type: string;
    name: string;
    request: string;
    noDebug?: boolean;
    [member: string]: unknown;
}

/** In a patched configuration: the session that it joins. */
export const MARK = "__mirrordSession";

/** `folders`: where the debugger is installed. */
export function launchOf(raw: Raw, folders: string[] = []): Launch {
    const plain = { ...raw };
    delete plain[MARK];
    return {
        name: raw.name,
        kind: raw.noDebug === true ? "run" : "debug",
        adapter: raw.type,
        program: text(raw.program) ?? text(raw.runtimeExecutable),
        args: Array.isArray(raw.args) ? raw.args.filter((one): one is string => typeof one === "string") : undefined,
        cwd: text(raw.cwd),
        env: environmentOf(raw),
        envFile: text(raw.envFile),
        console: text(raw.console),
        debugger: { folders },
        raw: plain,
    };
}

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/** The session of a configuration that was patched. */
export const sessionOf = (raw: Record<string, unknown>): string | undefined => text(raw[MARK]);
