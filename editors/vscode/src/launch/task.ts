// Tasks of type `mirrord`: a program of tasks.json in a target, by the server's own command line.

import { ProcessExecution, Task, type TaskDefinition, type TaskProvider, TaskScope } from "vscode";
import type { ChosenTargets } from "../picker/chosen";

interface Definition extends TaskDefinition {
    command: string;
    args?: string[];
    cwd?: string;
    env?: Record<string, string>;
    target?: string;
}

export class Tasks implements TaskProvider {
    constructor(
        private readonly server: () => Promise<string>,
        private readonly chosen: ChosenTargets,
    ) {}

    /** There is none that nobody wrote down. */
    provideTasks(): Task[] {
        return [];
    }

    async resolveTask(task: Task): Promise<Task> {
        const definition = task.definition as Definition;
        const folder = typeof task.scope === "object" ? task.scope : undefined;
        const chosen = this.chosen.get(folder);
        const target = definition.target ?? chosen?.path;
        const words = ["exec", ...(target ? ["--target", target] : []), "--", definition.command, ...(definition.args ?? [])];
        const options = { cwd: definition.cwd ?? folder?.uri.fsPath, env: { ...chosen?.env, ...definition.env } };
        const execution = new ProcessExecution(await this.server(), words, options);
        const resolved = new Task(definition, task.scope ?? TaskScope.Workspace, task.name, "mirrord", execution, task.problemMatchers);
        resolved.presentationOptions = task.presentationOptions;
        return resolved;
    }
}
