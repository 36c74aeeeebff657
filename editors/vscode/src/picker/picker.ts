// The target picker: a list that fills and changes while it is shown, with buttons for the cluster's
// context and namespace. Escape means no target.

import { type CancellationToken, type Disposable, type QuickPick, type QuickPickItem, QuickPickItemKind, ThemeIcon, window } from "vscode";
import { failureOf } from "../server/failure";
import type { ListProblem, TargetRow } from "../server/protocol";
import type { Server } from "../server/server";
import type { Chosen, ChosenTargets, Scope } from "./chosen";
import { type Row, changed, rowsOf } from "./rows";

interface Item extends QuickPickItem {
    path?: string;
}

const WHERE = { iconPath: new ThemeIcon("globe"), tooltip: "Another context or namespace" };
const AGAIN = { iconPath: new ThemeIcon("refresh"), tooltip: "Ask again" };

export class Picker {
    /** One at a time: compounds ask several. */
    private turn: Promise<unknown> = Promise.resolve();
    /** The user is being asked. */
    isOpen = false;

    constructor(
        private readonly server: Server,
        private readonly chosen: ChosenTargets,
    ) {}

    /** The picked target; undefined after Escape. `known` are shown at once. */
    pick(title: string, known: TargetRow[], token?: CancellationToken): Promise<Chosen | undefined> {
        const next = this.turn.then(() => {
            this.isOpen = true;
            return this.show(title, known, token);
        });
        const over = next.finally(() => (this.isOpen = false));
        this.turn = over.catch(() => undefined);
        return over;
    }

    private async show(title: string, known: TargetRow[], token?: CancellationToken): Promise<Chosen | undefined> {
        for (;;) {
            const scope = this.chosen.scope();
            const answer = await this.once(title, scope, known, token);
            if (answer === "scope") {
                const wanted = await this.askScope(scope);
                if (wanted) await this.chosen.setScope(wanted);
            } else if (answer !== "again") {
                return answer && { ...(answer.local ? {} : scope), path: answer.path };
            }
            known = [];
        }
    }

    private once(title: string, scope: Scope, known: TargetRow[], token?: CancellationToken): Promise<{ path: string; local: boolean } | "scope" | "again" | undefined> {
        const pick = window.createQuickPick<Item>();
        pick.title = title;
        pick.placeholder = placeholderOf(scope);
        pick.matchOnDescription = true;
        pick.ignoreFocusOut = true;
        pick.buttons = [AGAIN, WHERE];
        const list = new Live(this.server, scope, pick, known);
        return new Promise((resolve) => {
            const end = (answer: { path: string; local: boolean } | "scope" | "again" | undefined) => {
                // First: disposing hides it, which is an answer too.
                resolve(answer);
                list.dispose();
                pick.dispose();
            };
            pick.onDidAccept(() => {
                const path = pick.selectedItems[0]?.path;
                if (path) end({ path, local: list.isLocal(path) });
            });
            pick.onDidTriggerButton((button) => end(button === AGAIN ? "again" : "scope"));
            pick.onDidHide(() => end(undefined));
            token?.onCancellationRequested(() => end(undefined));
            pick.show();
            void list.watch();
        });
    }

    private async askScope(now: Scope): Promise<Scope | undefined> {
        const { contexts, reason } = await this.server.ask("mirrord/kube/contexts", {});
        if (contexts.length === 0) {
            void window.showWarningMessage(`There is no cluster to look in: ${reason ?? "the kubeconfig has no context"}.`);
            return undefined;
        }
        const items = contexts.map((one) => ({ label: one.name, description: one.current ? "current" : "", detail: one.cluster ?? undefined }));
        const context = await window.showQuickPick(items, { title: "Context", placeHolder: now.context });
        if (!context) return undefined;
        const namespaces = this.server.ask("mirrord/kube/namespaces", { context: context.label });
        const names = namespaces.then((answer) => [{ label: "(the context's own)" }, ...answer.namespaces.map((label) => ({ label }))]);
        const namespace = await window.showQuickPick(names, { title: `Namespace in ${context.label}`, placeHolder: now.namespace });
        if (!namespace) return undefined;
        return { context: context.label, namespace: namespace.label.startsWith("(") ? undefined : namespace.label };
    }
}

/** The rows of a picker that is open. */
class Live implements Disposable {
    private readonly hearing: Disposable[];
    private watchId: string | undefined;
    private over = false;
    private problems: ListProblem[] = [];

    constructor(
        private readonly server: Server,
        private readonly scope: Scope,
        private readonly pick: QuickPick<Item>,
        private rows: TargetRow[],
    ) {
        this.show();
        this.hearing = [
            server.on("mirrord/targets/changed", (change) => {
                if (this.watchId !== undefined && change.watchId !== this.watchId) return;
                this.rows = changed(this.rows, change);
                this.problems = change.problems ?? [];
                this.show();
            }),
        ];
    }

    /** Targets of this machine need no context. */
    isLocal(path: string): boolean {
        return this.rows.some((row) => row.path === path && !row.namespace);
    }

    async watch(): Promise<void> {
        this.pick.busy = true;
        try {
            const { watchId, targets } = await this.server.ask("mirrord/targets/watch", { ...this.scope });
            if (this.over) return void this.server.ask("mirrord/targets/unwatch", { watchId });
            this.watchId = watchId;
            this.rows = changed(this.rows, { removed: [], updated: targets });
            this.show();
        } catch (error) {
            this.problems = [{ scope: "targets", message: failureOf(error).message }];
            if (!this.over) this.show();
        } finally {
            if (!this.over) this.pick.busy = false;
        }
    }

    private show(): void {
        const active = this.pick.activeItems[0]?.path;
        const items = [...rowsOf(this.rows).map(itemOf), ...this.problems.map(problemOf)];
        // What the user is about to choose stays where the cursor is.
        this.pick.keepScrollPosition = true;
        this.pick.items = items;
        const again = items.find((item) => item.path !== undefined && item.path === active);
        if (again) this.pick.activeItems = [again];
    }

    dispose(): void {
        this.over = true;
        this.hearing.forEach((one) => void one.dispose());
        if (this.watchId !== undefined) {
            // The connection's end ends it too.
            this.server.ask("mirrord/targets/unwatch", { watchId: this.watchId }).catch(() => undefined);
        }
    }
}

const itemOf = ({ label, description, path }: Row): Item =>
    path === undefined ? { label, kind: QuickPickItemKind.Separator } : { label, description, path };

const problemOf = ({ scope, message }: ListProblem): Item => ({ label: `$(info) ${scope}`, description: message, alwaysShow: true });

function placeholderOf({ context, namespace }: Scope): string {
    const where = [namespace && `namespace ${namespace}`, context && `context ${context}`].filter(Boolean).join(", ");
    return where ? `A target on this machine, or in ${where}` : "A target on this machine, or in the current context";
}
