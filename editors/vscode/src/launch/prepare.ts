// One launch: asked of the server with progress and Cancel, and the question when that failed. What
// it returns is the launch to run, or nothing when there is none. It never returns a plain launch that
// the user did not want.

import { type CancellationToken, type LogOutputChannel, Uri, type WorkspaceFolder, commands, window } from "vscode";
import behaviour from "../../../behaviour.json";
import { named } from "../configs/effective";
import { type Failure, detailOf, failureOf } from "../server/failure";
import type { Launch, PrepareParams, PrepareResult } from "../server/protocol";
import type { Server } from "../server/server";
import type { ChosenTargets } from "../picker/chosen";
import type { Picker } from "../picker/picker";
import { outcomeOf, outcomeOfFailure } from "./outcome";
import { type Step, withProgress } from "./progress";

export interface Wanted {
    folder: WorkspaceFolder | undefined;
    launch: Launch;
    /** The switch's value. */
    active: boolean;
    /** A target that beats everything (a task's own). */
    target?: string;
    /** The session of the run before, which is ended; its target stays when it was picked. */
    again?: string;
}

/** What becomes of it: patched by this result, run as it is, or not run. */
export type Answer = { run: "patched"; result: PrepareResult; sessionId: string } | { run: "plain" } | { run: "not" };

const { question } = behaviour;
const SHOW_LOG = "Show log";
const OPEN_CONFIG = "Open the configuration";
const AGAIN = "Try again";

export class Preparer {
    constructor(
        private readonly server: Server,
        private readonly picker: Picker,
        private readonly chosen: ChosenTargets,
        private readonly defaultConfig: (folder: WorkspaceFolder | undefined) => string,
        private readonly log: LogOutputChannel,
    ) {}

    async prepare(wanted: Wanted, token?: CancellationToken): Promise<Answer> {
        for (;;) {
            let failure: Failure;
            try {
                const title = `mirrord: ${wanted.launch.name}`;
                const result = await withProgress(title, token, () => this.picker.isOpen, (step, cancel) => this.once(wanted, step, cancel));
                if (token?.isCancellationRequested) return await this.cancelled(result);
                const answer = this.answer(wanted, result);
                if (answer) return answer;
                failure = failureOf(new Error(`the server answered "${result.decision}" (${result.reason}), which this version does not know`));
            } catch (error) {
                failure = failureOf(error);
                if (outcomeOfFailure(failure) === "none") return { run: "not" };
            }
            this.log.error(`${wanted.launch.name}: ${failure.message}\n${detailOf(failure)}`);
            const answer = await this.askUser(failure);
            if (answer !== "again") return { run: answer };
        }
    }

    private async once(wanted: Wanted, step: Step, token: CancellationToken): Promise<PrepareResult> {
        const { folder, again } = wanted;
        if (again !== undefined) {
            try {
                return await this.server.askLong("mirrord/session/restart", { sessionId: again }, { step }, token);
            } catch (error) {
                // The server was started after that session: the launch is prepared as a new one.
                if (failureOf(error).kind !== "wrongState") throw error;
            }
        }
        const chosen = this.chosen.get(folder);
        const env = { ...chosen?.env, ...wanted.launch.env };
        const launch = { ...wanted.launch, env };
        const params: PrepareParams = {
            workspace: folder?.uri.toString(),
            launch,
            active: wanted.active,
            target: wanted.target ?? chosen?.path,
            configUri: await this.named(wanted),
            interactive: true,
        };
        return this.server.askLong("mirrord/launch/prepare", params, { step }, token);
    }

    /** The file that `mirrord.defaultConfig` names, when nothing else does. */
    private async named({ folder, launch: { env, cwd } }: Wanted): Promise<string | undefined> {
        return folder && named(this.server, folder, this.defaultConfig(folder), { env, cwd });
    }

    private answer(wanted: Wanted, result: PrepareResult): Answer | undefined {
        this.log.info(`${wanted.launch.name}: ${result.decision}: ${result.reason}`);
        switch (outcomeOf(result)) {
            case "patched":
                if (!result.sessionId) throw new Error("the server prepared a launch and named no session");
                return { run: "patched", result, sessionId: result.sessionId };
            case "unchanged":
                return { run: "plain" };
            case "none":
                return { run: "not" };
            case "asked":
                return undefined;
        }
    }

    /** Cancelled while the answer was on its way. */
    private async cancelled({ sessionId }: PrepareResult): Promise<Answer> {
        if (sessionId) await this.server.ask("mirrord/launch/abort", { sessionId });
        return { run: "not" };
    }

    private async askUser(failure: Failure): Promise<"plain" | "not" | "again"> {
        const choices = [question.run, ...(failure.diagnosticsUri ? [OPEN_CONFIG] : []), ...(failure.retryable ? [AGAIN] : []), SHOW_LOG];
        const picked = await window.showErrorMessage(
            `${question.title}: ${failure.message}`,
            { modal: true, detail: detailOf(failure) },
            ...choices,
        );
        switch (picked) {
            case question.run:
                return "plain";
            case AGAIN:
                return "again";
            case OPEN_CONFIG:
                await commands.executeCommand("vscode.open", Uri.parse(failure.diagnosticsUri ?? ""));
                return "not";
            case SHOW_LOG:
                this.log.show();
                return "not";
            default:
                return "not";
        }
    }
}
