// A small client of the Debug Adapter Protocol: as much as a launch and one breakpoint need.

import { spawn } from "node:child_process";
import { connect } from "node:net";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Building a Go program on a busy machine takes longest. */
const PATIENCE = 150_000;

export class Dap {
    /** An adapter on its standard input and output. */
    static stdio(home, command, args, options) {
        const child = spawn(command, args, { ...options, stdio: ["pipe", "pipe", "pipe"] });
        home.children.push(child);
        return new Dap(child, child.stdout, child.stdin);
    }

    /** An adapter that prints where it listens, as `dlv dap` does. */
    static async tcp(home, command, args, options) {
        const child = spawn(command, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
        home.children.push(child);
        let complaint = "";
        child.stderr.on("data", (bytes) => (complaint += bytes));
        const lines = createInterface({ input: child.stdout });
        const first = await Promise.race([once(lines, "line"), once(child, "exit")]);
        const address = /listening at: (.*):(\d+)$/.exec(first[0]);
        if (!address) throw new Error(`${command} does not listen: ${first} ${complaint}`);
        lines.on("line", () => {});
        const socket = connect(Number(address[2]), address[1]);
        await once(socket, "connect");
        return new Dap(child, socket, socket);
    }

    constructor(child, input, output) {
        this.child = child;
        this.output = output;
        this.seen = [];
        this.waiting = [];
        this.seq = 0;
        this.stderr = "";
        child.stderr?.on("data", (bytes) => (this.stderr += bytes));
        this.ended = once(child, "exit");
        let text = "";
        input.setEncoding("latin1");
        input.on("data", (more) => {
            text += more;
            for (;;) {
                const head = /^Content-Length: (\d+)\r\n\r\n/.exec(text);
                if (!head || text.length < head[0].length + Number(head[1])) break;
                const body = text.slice(head[0].length, head[0].length + Number(head[1]));
                text = text.slice(head[0].length + body.length);
                this.seen.push(JSON.parse(Buffer.from(body, "latin1").toString()));
                this.waiting.splice(0).forEach((wake) => wake());
            }
        });
        output.on("error", () => {});
    }

    begin(command, args = {}) {
        this.seq += 1;
        const body = JSON.stringify({ seq: this.seq, type: "request", command, arguments: args });
        this.output.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
        return this.seq;
    }

    async request(command, args) {
        const seq = this.begin(command, args);
        const answer = await this.wait(`the answer to ${command}`, (message) => message.request_seq === seq);
        return answer.body;
    }

    event(name) {
        return this.wait(name, (message) => message.event === name);
    }

    async wait(what, wanted) {
        const deadline = Date.now() + PATIENCE;
        for (;;) {
            const failed = this.seen.find((message) => message.success === false);
            if (failed) throw new Error(`${what}: ${JSON.stringify(failed)} ${this.stderr}`);
            const index = this.seen.findIndex(wanted);
            if (index >= 0) return this.seen.splice(index, 1)[0];
            const left = deadline - Date.now();
            if (left <= 0) throw new Error(`waited for ${what}; there were ${JSON.stringify(this.seen)} ${this.stderr}`);
            let timer;
            await Promise.race([
                new Promise((wake) => this.waiting.push(wake)),
                new Promise((wake) => (timer = setTimeout(wake, left))),
            ]);
            clearTimeout(timer);
        }
    }

    /** Launches and waits until the program stands at the line. */
    async launch(configuration, file, line) {
        await this.request("initialize", { adapterID: configuration.type, linesStartAt1: true, pathFormat: "path" });
        this.begin("launch", configuration);
        await this.event("initialized");
        await this.request("setBreakpoints", { source: { path: file }, breakpoints: [{ line }] });
        await this.request("configurationDone");
        const stopped = await this.event("stopped");
        this.thread = stopped.body.threadId;
        const process = this.seen.find((message) => message.event === "process");
        this.pid = process?.body.systemProcessId;
    }

    /** The value of an expression where the program stands. */
    async evaluate(expression) {
        const { stackFrames } = await this.request("stackTrace", { threadId: this.thread, levels: 1 });
        const { result } = await this.request("evaluate", { expression, frameId: stackFrames[0].id, context: "watch" });
        return result;
    }

    /** Lets the program run to its end, and ends the adapter. */
    async finish() {
        await this.request("continue", { threadId: this.thread });
        await this.event("terminated");
        await this.request("disconnect", { terminateDebuggee: true });
        // As an editor does: not every adapter ends by itself.
        this.child.kill();
        await this.ended;
    }
}
