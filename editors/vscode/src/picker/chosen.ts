// The target that was chosen for a folder's launches, and the cluster context and namespace in which
// targets were last looked for.

import { EventEmitter, type ExtensionContext, type WorkspaceFolder } from "vscode";

/** Where targets are looked for; nothing said: the kubeconfig's own. */
export interface Scope {
    context?: string;
    namespace?: string;
}

export interface Chosen extends Scope {
    path: string;
}

const TARGET = "mirrord.target";
const SCOPE = "mirrord.scope";

export class ChosenTargets {
    private readonly changed = new EventEmitter<void>();
    readonly onDidChange = this.changed.event;

    constructor(private readonly context: ExtensionContext) {
        context.subscriptions.push(this.changed);
    }

    /** With the variables by which a launch says where the target is. */
    get(folder: WorkspaceFolder | undefined): (Chosen & { env: Record<string, string> }) | undefined {
        const chosen = this.context.workspaceState.get<Chosen>(this.key(folder));
        return chosen && { ...chosen, env: environmentOf(chosen) };
    }

    /** Undefined: the configuration's, or the user is asked. */
    async set(folder: WorkspaceFolder | undefined, chosen: Chosen | undefined): Promise<void> {
        await this.context.workspaceState.update(this.key(folder), chosen);
        this.changed.fire();
    }

    scope(): Scope {
        return this.context.workspaceState.get<Scope>(SCOPE, {});
    }

    async setScope(scope: Scope): Promise<void> {
        await this.context.workspaceState.update(SCOPE, scope);
    }

    private key(folder: WorkspaceFolder | undefined): string {
        return `${TARGET} ${folder?.uri.toString() ?? ""}`;
    }
}

function environmentOf({ context, namespace }: Scope): Record<string, string> {
    return {
        ...(context ? { MIRRORD_KUBE_CONTEXT: context } : {}),
        ...(namespace ? { MIRRORD_TARGET_NAMESPACE: namespace } : {}),
    };
}
