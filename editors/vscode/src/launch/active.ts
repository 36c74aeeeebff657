// Whether the server is asked about a launch at all. A launch that nobody wants in a target costs
// nothing: no process is started for it.

import type { Environment } from "./environment";

export interface Switches {
    /** The workspace's switch; undefined while nobody has used it. */
    toggle: boolean | undefined;
    enabledByDefault: boolean;
    /** The launch was started with one of mirrord's commands. */
    forced: boolean;
}

const OFF = new Set(["0", "false", "FALSE", "False", ""]);

/** The switch's value, as the server is told it. */
export function isOn({ toggle, enabledByDefault, forced }: Switches): boolean {
    return forced || (toggle ?? enabledByDefault);
}

/** Asks the server unless this is surely a plain launch. A word it does not know, it explains. */
export function asksServer(switches: Switches, env: Environment): boolean {
    const own = env.MIRRORD_ACTIVE;
    if (typeof own === "string") return !OFF.has(own);
    return isOn(switches);
}
