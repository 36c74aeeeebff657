// `mirrord/notify`: what the user should know, with the server's buttons. What must not be shown again
// the server remembers, for all editors.

import { type Disposable, Uri, commands, window } from "vscode";
import type { NotifyParams } from "../server/protocol";
import type { Server } from "../server/server";

const NEVER = "Don't show again";

export function showNotices(server: Server): Disposable {
    return server.on("mirrord/notify", (notice) => void show(server, notice));
}

async function show(server: Server, { id, level, text, help, actions }: NotifyParams): Promise<void> {
    const show = level === "error" ? window.showErrorMessage : level === "warn" ? window.showWarningMessage : window.showInformationMessage;
    const buttons = actions ?? [];
    const message = help ? `${text}. ${help}` : text;
    const picked = await show(message, ...buttons.map(({ title }) => title), NEVER);
    if (picked === NEVER) await server.ask("mirrord/notify/mute", { id, muted: true });
    const action = buttons.find(({ title }) => title === picked);
    if (action) await commands.executeCommand(action.command, ...(action.arguments ?? []).map(argument));
}

/** A file's URI as VS Code's own commands take it. */
const argument = (value: unknown): unknown => (typeof value === "string" && value.startsWith("file:") ? Uri.parse(value) : value);
