// mirrord's own extension may be enabled too. Both would inject one launch; ours tells it to leave
// those alone that ours has patched, and leaves alone what was patched already.

import { type DebugConfiguration, type ExtensionContext, commands, extensions, window } from "vscode";

const ID = "metalbear.mirrord";
const TOLD = "mirrord.toldOfOfficial";

export const hasOfficial = (): boolean => extensions.getExtension(ID) !== undefined;

/** Variables that only its injected launches have. */
export const isOfficials = (env: Record<string, unknown>): boolean =>
    "MIRRORD_RESOLVED_CONFIG" in env || "MIRRORD_LAYER_INTPROXY_ADDR" in env;

/** A patched launch that it leaves alone, if it is there. */
export function hiddenFromOfficial(launch: DebugConfiguration): DebugConfiguration {
    if (!hasOfficial() || Array.isArray(launch.env)) return launch;
    return { ...launch, env: { ...(launch.env as object | undefined), MIRRORD_ACTIVE: "0" } };
}

export async function tellOfOfficial(context: ExtensionContext): Promise<void> {
    if (!hasOfficial() || context.globalState.get<boolean>(TOLD)) return;
    await context.globalState.update(TOLD, true);
    const show = "Show it";
    const message =
        "The extension mirrord is enabled too. A launch joins one session only: what one of the two has prepared, the other leaves alone. Disable one of them.";
    if ((await window.showWarningMessage(message, show)) === show) {
        await commands.executeCommand("workbench.extensions.action.showExtensionsWithIds", [ID]);
    }
}
