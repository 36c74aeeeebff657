// The language client: LSP's features on configuration files, and the `mirrord/*` methods, over one
// `mirrord-server --stdio`. The only file that knows vscode-languageclient.

import { type ChildProcess, spawn } from "node:child_process";
import { version as editorVersion, env, window, workspace } from "vscode";
import { CloseAction, ErrorAction, LanguageClient, ProgressType, State } from "vscode-languageclient/node";
import { CONFIG_FILES } from "../configs/files";
import type { Connection, Settings } from "./connection";
import { PROTOCOL_VERSION, type InitializationOptions, type ServerCapabilities, type ServerNotifications } from "./protocol";

/** So often within a minute it is started again; then it is not by accident that it ends. */
const STARTS_A_MINUTE = 5;

export async function connect(settings: Settings): Promise<Connection> {
    const starts: number[] = [];
    let lastWords = "";
    const start = (): Promise<ChildProcess> => {
        starts.push(Date.now());
        const child = spawn(settings.server, ["--stdio"], { env: settings.environment, stdio: ["pipe", "pipe", "pipe"] });
        child.stderr.on("data", (bytes: Buffer) => {
            lastWords = (lastWords + bytes.toString()).slice(-4000);
        });
        // Before it has said anything the client hears of an end only by its closed pipes.
        return new Promise((resolve, reject) => {
            child.once("error", reject);
            child.once("spawn", () => resolve(child));
        });
    };
    const again = () => {
        const recently = starts.filter((at) => Date.now() - at < 60_000);
        return recently.length < STARTS_A_MINUTE;
    };
    const patterns = [CONFIG_FILES, ...settings.furtherFiles];
    const initializationOptions: InitializationOptions = {
        editor: { name: env.appName, version: editorVersion },
        workspaceTrust: settings.trusted,
        capabilities: { targetPicker: true, sessionsView: true, debugState: true, notifications: true },
        environment: settings.environment,
        settings: workspace.getConfiguration("mirrord"),
    };
    const client = new LanguageClient("mirrord", "mirrord", start, {
        documentSelector: patterns.map((pattern) => ({ scheme: "file", pattern })),
        initializationOptions,
        outputChannel: settings.log,
        traceOutputChannel: settings.log,
        errorHandler: {
            error: () => ({ action: ErrorAction.Continue, handled: true }),
            closed: () => {
                const restart = again();
                settings.ended(restart, lastLine(lastWords));
                return { action: restart ? CloseAction.Restart : CloseAction.DoNotRestart, handled: true };
            },
        },
        initializationFailedHandler: () => false,
    });
    client.onRequest("mirrord/ui/pickTarget", settings.answers["mirrord/ui/pickTarget"]);
    for (const method of [
        "mirrord/status",
        "mirrord/config/activeChanged",
        "mirrord/targets/changed",
        "mirrord/session/event",
        "mirrord/session/changed",
        "mirrord/notify",
    ] as const) {
        client.onNotification(method, (params: ServerNotifications[typeof method]) => settings.hear(method, params));
    }
    const capabilities = () =>
        (client.initializeResult?.capabilities.experimental as { mirrord?: ServerCapabilities } | undefined)?.mirrord;
    client.onDidChangeState(({ newState }) => {
        const said = newState === State.Running ? capabilities() : undefined;
        if (said) settings.began(said);
    });
    try {
        await client.start();
    } catch (error) {
        throw new Error(lastLine(lastWords) || (error as Error).message, { cause: error });
    }
    const said = capabilities();
    if (said?.protocolVersion !== PROTOCOL_VERSION) {
        await client.stop();
        throw new Error(
            `${settings.server} speaks version ${said?.protocolVersion ?? "0"} of the protocol, this extension version ` +
                `${PROTOCOL_VERSION}. Install the same version of both`,
        );
    }
    if (said.serverVersion !== settings.version) {
        void window.showWarningMessage(
            `mirrord-server is version ${said.serverVersion} and the extension is version ${settings.version}: they speak ` +
                "the same protocol, but installing the same version of both is safer.",
        );
    }
    return {
        // Without a token an absent one would be sent as a second parameter.
        ask: (method, params, token) => (token ? client.sendRequest(method, params, token) : client.sendRequest(method, params)),
        onProgress: (token, hear) => client.onProgress(new ProgressType<unknown>(), token, hear),
        stop: () => client.stop(),
    };
}

const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";
