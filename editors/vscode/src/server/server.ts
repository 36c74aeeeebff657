// The one connection of this window: made when it is first wanted, kept, made again when it broke.

import type { CancellationToken, Disposable, LogOutputChannel } from "vscode";
import { EventEmitter } from "vscode";
import type { Connection, OnProgress, Settings } from "./connection";
import type { Requests, ServerCapabilities, ServerNotifications, Status } from "./protocol";

export type ServerState = "off" | "starting" | "on" | "failed";

type Heard<M extends keyof ServerNotifications = keyof ServerNotifications> = { method: M; params: ServerNotifications[M] };

export type Prepare = () => Promise<Omit<Settings, "hear" | "began" | "ended">>;

export class Server implements Disposable {
    state: ServerState = "off";
    /** Why it failed. */
    trouble = "";
    status: Status | undefined;
    private connection: Promise<Connection> | undefined;
    private readonly changed = new EventEmitter<ServerState>();
    private readonly heard = new EventEmitter<Heard>();
    private tokens = 0;
    private log: LogOutputChannel | undefined;
    readonly onDidChangeState = this.changed.event;

    /** `prepare` finds the program and gathers what it is told; called for each connection. */
    constructor(private readonly prepare: Prepare) {}

    /** Connects unless it is connected. Fails with a message for the user. */
    connect(): Promise<Connection> {
        this.connection ??= this.begin().catch((error: Error) => {
            this.connection = undefined;
            this.trouble = error.message;
            this.become("failed");
            throw error;
        });
        return this.connection;
    }

    private async begin(): Promise<Connection> {
        this.become("starting");
        const settings = await this.prepare();
        this.log = settings.log;
        // Its own bundle: half a megabyte that a window without mirrord never reads.
        // eslint-disable-next-line @typescript-eslint/no-require-imports
        const { connect } = require("./client.js") as typeof import("./client");
        return connect({
            ...settings,
            hear: (method, params) => {
                if (method === "mirrord/status") this.status = params as Status;
                this.heard.fire({ method, params });
            },
            began: (capabilities) => this.began(capabilities),
            ended: (again, why) => {
                settings.log.warn(`the connection to the server ended: ${why}`);
                this.status = undefined;
                if (!again) this.connection = undefined;
                this.trouble = why || "mirrord-server ended and could not be started again";
                this.become(again ? "starting" : "failed");
            },
        });
    }

    private began(capabilities: ServerCapabilities): void {
        this.trouble = "";
        this.capabilities = capabilities;
        this.become("on");
    }

    capabilities: ServerCapabilities | undefined;

    private become(state: ServerState): void {
        this.state = state;
        this.changed.fire(state);
    }

    async ask<M extends keyof Requests>(
        method: M,
        params: Requests[M]["params"],
        token?: CancellationToken,
    ): Promise<Requests[M]["result"]> {
        const connection = await this.connect();
        try {
            return await connection.ask<M>(method, params, token);
        } catch (error) {
            // Who asked may have nobody to tell.
            this.log?.debug(`${method}: ${(error as Error).message}`);
            throw error;
        }
    }

    /** A request that tells its steps, and rows as they come when it has any. */
    async askLong<M extends keyof Requests>(
        method: M,
        params: Requests[M]["params"],
        hear: { step?: OnProgress; rows?: (value: Requests[M]["result"]) => void },
        token?: CancellationToken,
    ): Promise<Requests[M]["result"]> {
        const connection = await this.connect();
        const number = ++this.tokens;
        const [workDoneToken, partialResultToken] = [`work-${number}`, `rows-${number}`];
        const hearing = [
            connection.onProgress(workDoneToken, (value) => {
                const { message } = value as { message?: string };
                if (message) hear.step?.(message);
            }),
        ];
        if (hear.rows) hearing.push(connection.onProgress(partialResultToken, (value) => hear.rows?.(value as Requests[M]["result"])));
        try {
            const tokens = hear.rows ? { workDoneToken, partialResultToken } : { workDoneToken };
            return await connection.ask<M>(method, { ...params, ...tokens }, token);
        } finally {
            hearing.forEach((one) => void one.dispose());
        }
    }

    on<M extends keyof ServerNotifications>(method: M, hear: (params: ServerNotifications[M]) => void): Disposable {
        return this.heard.event((one) => {
            if (one.method === method) hear(one.params as ServerNotifications[M]);
        });
    }

    async stop(): Promise<void> {
        const connection = this.connection;
        this.connection = undefined;
        this.status = undefined;
        // One that never came about has nothing to stop.
        await connection?.then((one) => one.stop()).catch(() => undefined);
        this.become("off");
    }

    dispose(): void {
        void this.stop();
        this.changed.dispose();
        this.heard.dispose();
    }
}
