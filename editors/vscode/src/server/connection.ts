// What the rest of the extension knows of a connection; the language client behind it is loaded only
// when there is one.

import type { CancellationToken, Disposable, LogOutputChannel } from "vscode";
import type { Requests, ServerCapabilities, ServerNotifications, ServerRequests } from "./protocol";

export interface Settings {
    server: string;
    version: string;
    trusted: boolean;
    environment: Record<string, string>;
    /** Configuration files in places where none is looked for (paths). */
    furtherFiles: string[];
    log: LogOutputChannel;
    /** The answers to what the server asks. */
    answers: { [M in keyof ServerRequests]: (params: ServerRequests[M]["params"], token: CancellationToken) => Promise<ServerRequests[M]["result"]> };
    hear<M extends keyof ServerNotifications>(method: M, params: ServerNotifications[M]): void;
    /** It is there (again): what was subscribed is to be subscribed anew. */
    began(capabilities: ServerCapabilities): void;
    /** It is gone. `again`: another one is started. */
    ended(again: boolean, why: string): void;
}

/** A step of a request that takes long. */
export type OnProgress = (message: string) => void;

export interface Connection {
    ask<M extends keyof Requests>(method: M, params: Requests[M]["params"], token?: CancellationToken): Promise<Requests[M]["result"]>;
    /** Hears `$/progress` under this token until disposed. */
    onProgress(token: string, hear: (value: unknown) => void): Disposable;
    stop(): Promise<void>;
}
