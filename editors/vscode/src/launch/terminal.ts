// A terminal whose shell, and all that it starts, is in a session: for runs without a debug session.

import { type CancellationToken, type TerminalOptions, type TerminalProfileProvider, TerminalProfile, env, window } from "vscode";
import { currentFolder } from "../configs/folder";
import type { Launch } from "../server/protocol";
import { applyPatch } from "./patch";
import type { Preparer } from "./prepare";

const NAME = "mirrord";

export class TerminalProfiles implements TerminalProfileProvider {
    constructor(private readonly preparer: Preparer) {}

    async provideTerminalProfile(token?: CancellationToken): Promise<TerminalProfile | undefined> {
        const options = await this.options(token);
        return options && new TerminalProfile(options);
    }

    /** The command: a terminal with its shell in a target. */
    async open(): Promise<void> {
        const options = await this.options();
        if (options) window.createTerminal(options).show();
    }

    private async options(token?: CancellationToken): Promise<TerminalOptions | undefined> {
        const folder = currentFolder();
        const raw = { type: "terminal", shellPath: env.shell || "/bin/sh", shellArgs: [] as string[], env: {} };
        const launch: Launch = { name: "terminal", kind: "run", adapter: "terminal", program: raw.shellPath, cwd: folder?.uri.fsPath, env: {}, raw };
        const answer = await this.preparer.prepare({ folder, launch, active: true }, token);
        if (answer.run === "not") return undefined;
        const { shellPath, shellArgs, env: variables } = applyPatch(raw, answer.run === "patched" ? (answer.result.patch?.vscode ?? []) : []);
        const name = answer.run === "patched" ? `${NAME}: ${answer.result.target ?? ""}` : "without mirrord";
        return { name, shellPath, shellArgs, env: variables, cwd: folder?.uri, isTransient: true };
    }
}
