// The configuration provider for every debug type: asks the server about a launch and applies what it
// answers. VS Code may ask twice for one launch (js-debug turns `node` into `pwa-node`), so a launch
// that was patched is left alone.

import type { CancellationToken, DebugConfiguration, DebugConfigurationProvider, WorkspaceFolder } from "vscode";
import { asksServer, isOn } from "./active";
import { environmentOf } from "./environment";
import { debuggerFolders } from "./folders";
import type { Forced } from "./forced";
import { MARK, launchOf, sessionOf } from "./launch";
import type { Launches } from "./launches";
import { applyPatch } from "./patch";
import type { Preparer } from "./prepare";
import { hiddenFromOfficial, isOfficials } from "../notices/official";
import type { Toggle } from "../toggle/toggle";

export class Provider implements DebugConfigurationProvider {
    constructor(
        private readonly toggle: Toggle,
        private readonly forced: Forced,
        private readonly preparer: Preparer,
        private readonly launches: Launches,
    ) {}

    async resolveDebugConfigurationWithSubstitutedVariables(
        folder: WorkspaceFolder | undefined,
        raw: DebugConfiguration,
        token?: CancellationToken,
    ): Promise<DebugConfiguration | undefined> {
        if (sessionOf(raw) !== undefined) return raw;
        const forcing = this.forced.get(raw.name);
        const env = environmentOf(raw);
        const switches = { ...this.toggle.value(), forced: forcing === "mirrord" };
        if (forcing === "plain" || !asksServer(switches, env) || isOfficials(env)) return raw;
        const answer = await this.preparer.prepare({ folder, launch: launchOf(raw, debuggerFolders(raw.type)), active: isOn(switches) }, token);
        switch (answer.run) {
            case "not":
                return undefined;
            case "plain":
                return raw;
            case "patched": {
                const { result, sessionId } = answer;
                const patched = applyPatch(raw, result.patch?.vscode ?? []);
                this.launches.add({ sessionId, folder, raw, target: result.target ?? "" });
                return hiddenFromOfficial({ ...patched, [MARK]: sessionId });
            }
        }
    }
}
