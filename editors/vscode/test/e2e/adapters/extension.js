// The debuggers that users have from the marketplace, which has no registry that tests could ask:
// the real adapters, started as those extensions start them. Every message about output and ends is
// written down for the tests, with its instant.

const { appendFileSync } = require("node:fs");
const { spawn } = require("node:child_process");
const { join } = require("node:path");
const readline = require("node:readline");
const vscode = require("vscode");

const DELVE = process.env.MIRRORD_E2E_DELVE;
const RECORD = process.env.MIRRORD_E2E_RECORD;

const python = () => new vscode.DebugAdapterExecutable("/usr/bin/python3", [join(__dirname, "bundled", "debugpy", "adapter")]);

const lldb = () => new vscode.DebugAdapterExecutable("lldb-dap-19", []);

/** As the Go extension does it: where it found delve. */
const withDelve = { resolveDebugConfiguration: (folder, configuration) => ({ dlvToolPath: DELVE, ...configuration }) };

/** The Go extension's way: the executable and the environment of the launch configuration. */
async function delve({ configuration }) {
    const env = { ...process.env };
    for (const [name, value] of Object.entries(configuration.env ?? {})) {
        if (value === null) delete env[name];
        else env[name] = value;
    }
    const child = spawn(configuration.dlvToolPath, ["dap", "--listen=127.0.0.1:0"], { cwd: configuration.cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let complaint = "";
    child.stderr.on("data", (bytes) => (complaint += bytes));
    return new Promise((resolve, reject) => {
        child.on("error", reject);
        child.on("exit", (code) => reject(new Error(`delve ended with ${code}: ${complaint}`)));
        readline.createInterface({ input: child.stdout }).on("line", (line) => {
            const address = /listening at: (.*):(\d+)$/.exec(line);
            if (address) resolve(new vscode.DebugAdapterServer(Number(address[2]), address[1]));
        });
    });
}

function record(what, session, more) {
    if (RECORD) appendFileSync(RECORD, `${JSON.stringify({ at: Date.now(), what, session: session?.name, ...more })}\n`);
}

function tracker(session) {
    return {
        onDidSendMessage(message) {
            if (message.event === "output") record("output", session, { category: message.body.category, text: message.body.output });
            if (message.event === "exited") record("exited", session, { code: message.body.exitCode });
            if (message.success === false) record("failed", session, { command: message.command, text: message.body?.error?.format ?? message.message });
        },
    };
}

exports.activate = (context) => {
    const factory = (type, create) =>
        vscode.debug.registerDebugAdapterDescriptorFactory(type, { createDebugAdapterDescriptor: create });
    context.subscriptions.push(
        factory("debugpy", python),
        factory("lldb-dap", lldb),
        factory("go", delve),
        vscode.debug.registerDebugConfigurationProvider("go", withDelve),
        vscode.debug.registerDebugAdapterTrackerFactory("*", { createDebugAdapterTracker: tracker }),
        vscode.debug.onDidStartDebugSession((session) => record("started", session)),
        vscode.debug.onDidTerminateDebugSession((session) => record("ended", session)),
    );
    record("ready");
};
