// What a debug adapter's messages say about the debuggee: its pid, its debugger's port, whether it is
// paused. Pure; the tracker feeds it and sends what it finds.

export interface Message {
    type: string;
    event?: string;
    command?: string;
    success?: boolean;
    body?: unknown;
    arguments?: unknown;
}

export type Finding =
    | { kind: "pid"; pid: number }
    | { kind: "port"; port: number }
    | { kind: "paused" | "running" | "disconnected" };

/** Requests after whose good answer the debuggee runs, also with adapters that send no `continued`. */
const RUNS_AFTER = new Set(["continue", "next", "stepIn", "stepOut", "stepBack", "reverseContinue", "goto"]);

export class Run {
    private paused = false;
    private over = false;

    /** From the adapter. */
    said(message: Message): Finding[] {
        if (message.type === "event") return this.happened(message.event ?? "", message.body);
        if (message.type === "response" && message.success && RUNS_AFTER.has(message.command ?? "")) return this.become(false);
        return [];
    }

    private happened(event: string, body: unknown): Finding[] {
        switch (event) {
            case "process": {
                const pid = number(body, "systemProcessId");
                return pid === undefined ? [] : [{ kind: "pid", pid }];
            }
            case "stopped":
                return this.become(true);
            case "continued":
                return this.become(false);
            case "debugpySockets":
                return sockets(body);
            case "exited":
            case "terminated":
                return this.end();
            default:
                return [];
        }
    }

    private become(paused: boolean): Finding[] {
        if (this.over || this.paused === paused) return [];
        this.paused = paused;
        return [{ kind: paused ? "paused" : "running" }];
    }

    /** The debugger went away; nothing is paused by it any more. */
    end(): Finding[] {
        if (this.over) return [];
        this.over = true;
        return [{ kind: "disconnected" }];
    }
}

/** js-debug has a debug session for each process, named `app.js [4242]`, and tells its pid nowhere else. */
export function pidInName(name: string): Finding[] {
    const pid = /\[(\d+)\]/.exec(name)?.[1];
    return pid === undefined ? [] : [{ kind: "pid", pid: Number(pid) }];
}

/** debugpy tells the sockets it listens on; the debuggee connects to the internal one. */
function sockets(body: unknown): Finding[] {
    const list = (body as { sockets?: unknown } | undefined)?.sockets;
    if (!Array.isArray(list)) return [];
    const internal = list.find((one: { internal?: unknown }) => one.internal === true) as unknown;
    const port = number(internal, "port");
    return port === undefined ? [] : [{ kind: "port", port }];
}

function number(holder: unknown, name: string): number | undefined {
    const value = (holder as Record<string, unknown> | undefined)?.[name];
    return typeof value === "number" && value > 0 ? value : undefined;
}
