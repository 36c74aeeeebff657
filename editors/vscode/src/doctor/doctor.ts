// The doctor: checks as they come, in a list that stays open. A fix that is a command line is put into
// a terminal, where the user reads it and presses Enter.

import { hostname } from "node:os";
import { type QuickPick, type QuickPickItem, ThemeIcon, env, window } from "vscode";
import { failureOf } from "../server/failure";
import type { Check } from "../server/protocol";
import type { Server } from "../server/server";
import { type Shown, shown, summary } from "./checks";

interface Item extends QuickPickItem, Omit<Shown, "label" | "description" | "detail"> {}

const TERMINAL = { iconPath: new ThemeIcon("terminal"), tooltip: "Put the command into a terminal" };
const COPY = { iconPath: new ThemeIcon("copy"), tooltip: "Copy" };

export async function doctor(server: Server): Promise<void> {
    const pick = window.createQuickPick<Item>();
    pick.title = `Doctor: ${env.remoteName ? `${hostname()} (${env.remoteName})` : "this machine"}`;
    pick.busy = true;
    pick.ignoreFocusOut = true;
    pick.matchOnDescription = true;
    pick.onDidTriggerItemButton(({ item, button }) => {
        if (button === TERMINAL && item.command) toTerminal(item.command);
        else void env.clipboard.writeText([item.label, item.description, item.detail].filter(Boolean).join("\n"));
    });
    pick.onDidAccept(() => {
        const command = pick.selectedItems[0]?.command;
        if (command) toTerminal(command);
    });
    pick.onDidHide(() => pick.dispose());
    pick.show();
    const checks: Check[] = [];
    const rows = (more: readonly Check[]) => {
        checks.push(...more);
        show(pick, checks, false);
    };
    try {
        const rest = await server.askLong("mirrord/doctor", {}, { rows: ({ checks: more }) => rows(more) });
        checks.push(...rest.checks);
        show(pick, checks, true);
    } catch (error) {
        const { message } = failureOf(error);
        show(pick, [{ id: "server", title: "The server", status: "fail", detail: message }, ...checks], true);
    }
}

function show(pick: QuickPick<Item>, checks: readonly Check[], over: boolean): void {
    pick.placeholder = summary(checks, over);
    pick.busy = !over;
    pick.items = shown(checks).map((one) => ({ ...one, buttons: one.command ? [TERMINAL, COPY] : [COPY] }));
}

function toTerminal(command: string): void {
    const terminal = window.createTerminal({ name: "mirrord doctor" });
    terminal.show();
    terminal.sendText(command, false);
}
