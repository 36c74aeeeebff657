// Registers commands: errors are shown, never lost, and an id that another extension has already is
// said in the log instead of ending the activation.

import { type ExtensionContext, type LogOutputChannel, commands, window } from "vscode";
import { detailOf, failureOf, isCancelled } from "./server/failure";

/** What the menus and lenses give it is known to each by itself. */
export type Command = (argument: never) => unknown;

export function registerCommands(context: ExtensionContext, log: LogOutputChannel, table: Record<string, Command>): void {
    for (const [id, run] of Object.entries(table)) {
        const guarded = async (argument: unknown) => {
            try {
                await run(argument as never);
            } catch (error) {
                tell(log, error);
            }
        };
        try {
            context.subscriptions.push(commands.registerCommand(id, guarded));
        } catch (error) {
            log.warn(`the command ${id} belongs to another extension: ${(error as Error).message}`);
        }
    }
}

function tell(log: LogOutputChannel, error: unknown): void {
    const failure = failureOf(error);
    if (isCancelled(failure)) return;
    log.error(`${failure.message}\n${detailOf(failure)}`);
    const show = "Show log";
    const message = failure.help ? `${failure.message}. ${failure.help}` : failure.message;
    void window.showErrorMessage(message, show).then((picked) => picked === show && log.show());
}
