// A client without manners: writes any bytes, and keeps every message that comes back, so that
// answers can be counted. On a forwarder's pipes or on the daemon's socket.

import { connect } from "node:net";
import { once } from "node:events";

const PATIENCE = 30_000;

export class Raw {
    /** Through `mirrord-server --stdio` (and further arguments). */
    static stdio(home, ...args) {
        const child = home.spawn(["--stdio", ...args], { stdio: ["pipe", "pipe", "ignore"] });
        const raw = new Raw(child.stdout, child.stdin);
        raw.child = child;
        raw.ended = once(child, "exit").then(([code, signal]) => code ?? signal);
        return raw;
    }

    /** On the daemon's own socket. */
    static async socket(home) {
        const socket = connect(home.socket);
        await once(socket, "connect");
        const raw = new Raw(socket, socket);
        raw.ended = new Promise((resolve) => socket.on("close", resolve));
        raw.socket = socket;
        return raw;
    }

    constructor(input, output) {
        this.input = input;
        this.output = output;
        this.heard = [];
        this.text = "";
        this.waiting = [];
        // A peer that hangs up on us is what these tests are about.
        output.on("error", () => {});
        input.on("error", () => {});
        input.setEncoding("latin1");
        input.on("data", (text) => {
            this.text += text;
            this.read();
        });
        // Both: a connection that is reset has no end.
        for (const event of ["end", "close"]) {
            input.on(event, () => {
                this.over = true;
                this.wake();
            });
        }
    }

    read() {
        for (;;) {
            const head = /^Content-Length: (\d+)\r\n\r\n/.exec(this.text);
            if (!head || this.text.length < head[0].length + Number(head[1])) break;
            const body = this.text.slice(head[0].length, head[0].length + Number(head[1]));
            this.text = this.text.slice(head[0].length + body.length);
            this.heard.push(JSON.parse(Buffer.from(body, "latin1").toString()));
        }
        this.wake();
    }

    wake() {
        this.waiting.splice(0).forEach((wake) => wake());
    }

    write(bytes) {
        return new Promise((done) => this.output.write(bytes, () => done()));
    }

    send(message) {
        const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
        return this.write(Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]));
    }

    /** All answers to this id so far. */
    answers(id) {
        return this.heard.filter((message) => message.id === id && !("method" in message));
    }

    /** The first answer to this id. */
    answer(id) {
        return this.until(() => this.answers(id)[0], `an answer to ${id}`);
    }

    async until(found, what) {
        const deadline = Date.now() + PATIENCE;
        for (;;) {
            const result = found();
            if (result) return result;
            const left = deadline - Date.now();
            if (this.over || left <= 0) throw new Error(`waited for ${what}; heard ${JSON.stringify(this.heard)}`);
            let timer;
            await Promise.race([
                new Promise((wake) => this.waiting.push(wake)),
                new Promise((wake) => (timer = setTimeout(wake, left))),
            ]);
            clearTimeout(timer);
        }
    }

    async initialize(home, capabilities = {}) {
        await this.send({
            id: "init",
            method: "initialize",
            params: {
                processId: null,
                rootUri: home.workspaceUri,
                capabilities: {},
                initializationOptions: { editor: { name: "raw", version: "1" }, capabilities, environment: home.env },
            },
        });
        const answer = await this.answer("init");
        if (answer.error) throw new Error(JSON.stringify(answer.error));
        await this.send({ method: "initialized", params: {} });
        return answer.result;
    }

    /** The other side hung up; fails when it does not. */
    async hungUp() {
        await this.until(() => this.over || undefined, "the end");
    }

    close() {
        if (this.child) this.child.stdin.end();
        else this.socket.destroy();
        return this.ended;
    }
}
