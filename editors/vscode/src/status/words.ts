// What the status item says. Pure.

export interface Situation {
    on: boolean;
    server: "off" | "starting" | "on" | "failed";
    /** Why the server failed or what is missing. */
    trouble?: string;
    /** Some of it does not work. */
    degraded: boolean;
    /** Where the next launch runs, when it is known. */
    target?: string;
    sessions: number;
    /** Name of the folder, where there are several. */
    folder?: string;
    config?: string;
    trusted: boolean;
}

export interface Words {
    text: string;
    tooltip: string;
    color?: "error" | "warning";
}

export function wordsOf(now: Situation): Words {
    const { on, server, trouble, sessions, target } = now;
    const count = sessions > 0 ? ` (${sessions})` : "";
    const icon = server === "starting" ? "loading~spin" : on ? "plug" : "circle-slash";
    const state = on ? (target ?? "on") : "off";
    const lines = [
        on ? "Launches are run in a target." : "Launches are run plainly.",
        now.folder ? `Folder: ${now.folder}` : "",
        `Target: ${target ?? "asked for at the launch, unless a configuration names one"}`,
        now.config ? `Configuration: ${now.config}` : "",
        sessions > 0 ? `${sessions} ${sessions === 1 ? "program runs" : "programs run"} in a target` : "",
        now.trusted ? "" : "The workspace is not trusted: nothing of it is run with mirrord.",
        trouble ?? "",
    ];
    const color = server === "failed" ? "error" : now.degraded && on ? "warning" : undefined;
    return { text: `$(${color ? "warning" : icon}) mirrord: ${state}${count}`, tooltip: lines.filter(Boolean).join("\n\n"), color };
}
