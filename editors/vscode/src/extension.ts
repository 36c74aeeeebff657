// Activation: puts the parts together and nothing else. The server is started when it is first wanted.

import { type ExtensionContext, type WorkspaceFolder, commands, debug, tasks, window, workspace } from "vscode";
import { ActivityView } from "./activity/view";
import { registerCommands } from "./commands";
import * as configs from "./configs/commands";
import { CONFIG_FILES } from "./configs/files";
import { SchemaFiles } from "./configs/schema";
import { Trackers } from "./debugger/tracker";
import { doctor } from "./doctor/doctor";
import { registerRunCommands } from "./launch/commands";
import { Forced } from "./launch/forced";
import { Launches } from "./launch/launches";
import { Preparer } from "./launch/prepare";
import { Provider } from "./launch/provider";
import { Restarts } from "./launch/restart";
import { Tasks } from "./launch/task";
import { TerminalProfiles } from "./launch/terminal";
import { showNotices } from "./notices/notices";
import { tellOfOfficial } from "./notices/official";
import { ChosenTargets } from "./picker/chosen";
import { Picker } from "./picker/picker";
import { selectTarget } from "./picker/select";
import { defaultFiles, locate, settingsOf } from "./server/prepare";
import { Server } from "./server/server";
import { SessionCommands } from "./sessions/commands";
import { LogDocuments } from "./sessions/logs";
import { Sessions } from "./sessions/sessions";
import { SessionTree } from "./sessions/tree";
import { StatusItem } from "./status/item";
import { menu } from "./status/menu";
import { Toggle } from "./toggle/toggle";

export function activate(context: ExtensionContext): void {
    const log = window.createOutputChannel("mirrord", { log: true });
    const toggle = new Toggle(context);
    const chosen = new ChosenTargets(context);
    const server: Server = new Server(() => settingsOf(context, log, picker, defaultFiles));
    const picker = new Picker(server, chosen);
    const sessions = new Sessions(server);
    const forced = new Forced();
    const launches = new Launches(server);
    const preparer = new Preparer(server, picker, chosen, defaultConfig, log);
    const restarts = new Restarts(launches, preparer, forced, log);
    const logs = new LogDocuments(server);
    const activity = new ActivityView(server, sessions, context.extensionUri);
    const terminals = new TerminalProfiles(preparer);
    const session = new SessionCommands(server, sessions, launches, forced, logs, (one) => restarts.current(one));
    context.subscriptions.push(
        ...[log, server, sessions, launches, logs, activity],
        new StatusItem(server, sessions, toggle, chosen, defaultConfig),
        new SessionTree(server, sessions),
        showNotices(server),
        SchemaFiles.register(context, server),
        window.registerWebviewViewProvider("mirrord.activity", activity),
        window.registerTerminalProfileProvider("mirrord.terminal", terminals),
        tasks.registerTaskProvider("mirrord", new Tasks(async () => (await locate(context)).file, chosen)),
        debug.registerDebugConfigurationProvider("*", new Provider(toggle, forced, preparer, launches)),
        debug.registerDebugAdapterTrackerFactory("*", new Trackers(server, launches, restarts, log)),
        debug.onDidTerminateDebugSession((one) => restarts.ended(one)),
        workspace.onDidGrantWorkspaceTrust(() => void server.stop().then(() => connect())),
        workspace.onDidChangeConfiguration((event) => {
            const asked = ["mirrord.serverPath", "mirrord.defaultConfig"].some((name) => event.affectsConfiguration(name));
            if (asked && server.state !== "off") void server.stop().then(() => connect());
        }),
        workspace.onDidOpenTextDocument((document) => {
            if (document.uri.scheme === "file" && document.uri.path.includes("/.mirrord/")) connect();
        }),
        toggle.onDidChange(() => toggle.isOn && connect()),
    );
    registerRunCommands(context, log, forced);
    registerCommands(context, log, {
        "mirrord.menu": () => menu(server, sessions, toggle, chosen),
        "mirrord.toggle": () => toggle.set(!toggle.isOn),
        "mirrord.terminal": () => terminals.open(),
        "mirrord.selectTarget": () => selectTarget(picker, chosen),
        "mirrord.selectActiveConfig": () => configs.selectActive(server),
        "mirrord.createConfig": () => configs.createConfig(server),
        "mirrord.openConfig": () => configs.openConfig(server, defaultConfig),
        "mirrord.pickTarget": (argument: { uri: string }) => configs.pickTarget(server, picker, argument),
        "mirrord.setActive": (argument: { uri: string }) => configs.setActive(server, argument),
        "mirrord.testConnection": (argument: { uri: string; target: string }) => configs.testConnection(server, argument),
        "mirrord.sessions.stop": (node?: { sessionId?: string }) => session.stop(node),
        "mirrord.sessions.restart": (node?: { sessionId?: string }) => session.restart(node),
        "mirrord.sessions.openLog": (node?: { sessionId?: string }) => session.openLog(node),
        "mirrord.sessions.refresh": () => sessions.refresh(),
        "mirrord.activity.show": (node?: { sessionId?: string }) => activity.show(node?.sessionId),
        "mirrord.configFromSession": (node?: { sessionId?: string }) => session.configFromSession(node),
        "mirrord.proveIncoming": (node?: { sessionId?: string }) => session.prove(node),
        "mirrord.doctor": () => doctor(server),
        "mirrord.openWalkthrough": () =>
            commands.executeCommand("workbench.action.openWalkthrough", `${context.extension.id}#start`, false),
        "mirrord.showLog": () => log.show(),
        "mirrord.restartServer": () => server.stop().then(() => server.connect()),
    });
    void commands.executeCommand("setContext", "mirrord.ready", true);

    /** What fails is told by the status item; nobody asked for it yet. */
    function connect(): void {
        server.connect().catch((error: Error) => log.warn(error.message));
    }
    // After activation: windows in which nobody wants mirrord start no server.
    setImmediate(() => {
        void tellOfOfficial(context);
        if (toggle.isOn) connect();
        else void workspace.findFiles(CONFIG_FILES, undefined, 1).then((found) => found.length > 0 && connect());
    });
}

const defaultConfig = (folder: WorkspaceFolder | undefined): string =>
    workspace.getConfiguration("mirrord", folder?.uri).get("defaultConfig", "");
