// A strict client on vscode-jsonrpc: every message of the server must be looked at by the test,
// and every mirrord/* message must be what the schema says.

import { connect } from "node:net";
import { once } from "node:events";
import * as rpc from "vscode-jsonrpc/node";
import { match, matches } from "./match.js";
import { check, checkError, protocol } from "./schema.js";

const PATIENCE = 20_000;

export class Client {
    /** Through `mirrord-server --stdio` (and further arguments). */
    static stdio(home, ...args) {
        const child = home.spawn(["--stdio", ...args], { stdio: ["pipe", "pipe", "pipe"] });
        const client = new Client(child.stdout, child.stdin);
        client.child = child;
        client.stderr = "";
        child.stderr.on("data", (bytes) => (client.stderr += bytes));
        client.exited = once(child, "exit").then(([code, signal]) => code ?? signal);
        return client;
    }

    /** Through the daemon's own socket; a forwarder must have started it. */
    static async socket(home) {
        const socket = connect(home.socket);
        await once(socket, "connect");
        const client = new Client(socket, socket);
        client.exited = once(socket, "close").then(() => 0);
        client.socket = socket;
        return client;
    }

    constructor(input, output) {
        this.received = [];
        this.ignored = new Set();
        this.waiting = [];
        this.faults = [];
        this.answers = new Map();
        this.connection = rpc.createMessageConnection(
            new rpc.StreamMessageReader(input),
            new rpc.StreamMessageWriter(output),
        );
        this.connection.onNotification((method, params) => this.receive(method, params));
        this.connection.onRequest((method, params) => this.asked(method, params));
        this.connection.onUnhandledProgress((params) => this.receive("$/progress", params));
        this.connection.onError(([error]) => this.faults.push(error));
        this.connection.listen();
    }

    receive(method, params) {
        try {
            if (method.startsWith("mirrord/")) check(method, "params", params);
        } catch (error) {
            this.faults.push(error);
        }
        if (this.ignored.has(method)) return;
        this.received.push({ method, params });
        this.waiting.splice(0).forEach((wake) => wake());
    }

    asked(method, params) {
        this.receive(method, params);
        const answer = this.answers.get(method);
        if (answer === undefined) {
            this.faults.push(new Error(`the server asked ${method}, which nobody answers here`));
            return new rpc.ResponseError(rpc.ErrorCodes.MethodNotFound, "not in this test");
        }
        return typeof answer === "function" ? answer(params) : answer;
    }

    /** What a request of the server is answered with: a value or a function of its params. */
    answer(method, answer) {
        this.answers.set(method, answer);
    }

    notify(method, params) {
        if (method in protocol.methods) check(method, "params", params);
        return this.connection.sendNotification(method, params);
    }

    /** The result; an error is thrown with `code` and `data`. */
    async request(method, params, token, unchecked) {
        if (method in protocol.methods && !unchecked) check(method, "params", params);
        try {
            const result = await this.connection.sendRequest(method, ...[params, token].filter((one) => one !== undefined));
            if (method in protocol.methods) check(method, "result", result);
            return result;
        } catch (error) {
            if (error.data?.kind) checkError(error.data);
            throw error;
        }
    }

    /** The error of a request that must fail. */
    async failing(method, params, unchecked) {
        let result;
        try {
            result = await this.request(method, params, undefined, unchecked);
        } catch (error) {
            if (!(error instanceof rpc.ResponseError)) throw error;
            return error;
        }
        throw new Error(`${method} did not fail but answered ${JSON.stringify(result)}`);
    }

    /** The next message of this method that fits, waiting for it; it counts as looked at. */
    async expect(method, pattern = {}, patience = PATIENCE) {
        const deadline = Date.now() + patience;
        for (;;) {
            const index = this.received.findIndex((message) => message.method === method && matches(pattern, message.params));
            if (index >= 0) return this.received.splice(index, 1)[0].params;
            const left = deadline - Date.now();
            if (left <= 0) this.explain(method, pattern);
            let timer;
            await Promise.race([
                new Promise((wake) => this.waiting.push(wake)),
                new Promise((wake) => (timer = setTimeout(wake, left))),
            ]);
            clearTimeout(timer);
        }
    }

    explain(method, pattern) {
        const last = this.received.filter((message) => message.method === method).at(-1);
        if (last) match(pattern, last.params);
        throw new Error(`no ${method} like ${JSON.stringify(pattern)} came; there are ${JSON.stringify(this.received)}`);
    }

    /** Looks at all messages of these methods, also at those that come later. */
    ignore(...methods) {
        for (const method of methods) this.ignored.add(method);
        this.look(...methods);
    }

    /** Looks at all messages of these methods at once. */
    look(...methods) {
        this.received = this.received.filter((message) => !methods.includes(message.method));
    }

    async initialize(home, options = {}) {
        const result = await this.request("initialize", {
            processId: process.pid,
            rootUri: home.workspaceUri,
            workspaceFolders: [{ uri: home.workspaceUri, name: "workspace" }],
            capabilities: {},
            initializationOptions: {
                editor: { name: "conformance", version: "1" },
                workspaceTrust: true,
                capabilities: { targetPicker: true, sessionsView: true, debugState: true, notifications: true },
                environment: home.env,
                settings: {},
                ...options,
            },
        });
        await this.notify("initialized", {});
        await this.expect("mirrord/status");
        return result;
    }

    /** Ends the connection as an editor does, and fails on anything that nobody looked at. */
    async end() {
        await this.request("shutdown");
        await this.notify("exit");
        const code = await this.exited;
        this.finish();
        if (code !== 0) throw new Error(`the forwarder ended with ${code}: ${this.stderr}`);
    }

    /** Without the ceremony, as an editor that was killed. */
    kill() {
        this.connection.dispose();
        if (this.child) this.child.kill("SIGKILL");
        else this.socket.destroy();
    }

    finish() {
        this.connection.dispose();
        if (this.faults.length > 0) throw this.faults[0];
        if (this.received.length > 0) throw new Error(`unexpected messages: ${JSON.stringify(this.received)}`);
    }
}
