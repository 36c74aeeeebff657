// The tree of sessions: what it shows of each. Pure.

import type { AgentStatus, PodAgent, Session } from "../server/protocol";

export interface Node {
    id: string;
    label: string;
    description: string;
    icon: string;
    tooltip?: string;
    /** For menus: `session`. */
    context: string;
    sessionId: string;
    children: Node[];
}

const STATES: Record<string, { icon: string; word: string }> = {
    preparing: { icon: "loading~spin", word: "preparing" },
    ready: { icon: "watch", word: "waits for its program" },
    running: { icon: "vm-running", word: "running" },
    reconnecting: { icon: "sync~spin", word: "reconnecting" },
    draining: { icon: "loading~spin", word: "ending" },
    ended: { icon: "circle-slash", word: "ended" },
};

/** The list after one changed; sessions that ended leave it. The newest is first. */
export function changed(sessions: readonly Session[], session: Session): Session[] {
    const others = sessions.filter(({ sessionId }) => sessionId !== session.sessionId);
    if (session.state === "ended") return others;
    return [session, ...others].sort((a, b) => b.startedAt.localeCompare(a.startedAt));
}

export function nodeOf(session: Session, agent: AgentStatus | undefined): Node {
    const { sessionId, name, state, target, reason } = session;
    const { icon, word } = STATES[state] ?? { icon: "question", word: state };
    const node = (id: string, label: string, description: string, nodeIcon: string, tooltip?: string): Node => ({
        id: `${sessionId} ${id}`,
        label,
        description,
        icon: nodeIcon,
        tooltip,
        context: id,
        sessionId,
        children: [],
    });
    const processes = session.processes.map((one) =>
        node(`process ${one.pid}`, fileName(one.exe) ?? "process", `${one.pid}${one.paused ? " · paused" : ""}`, one.paused ? "debug-pause" : "server-process", one.exe ?? undefined),
    );
    const ports = session.ports.map(({ port, mode }) => node(`port ${port}`, `port ${port}`, PORTS[mode] ?? mode, "radio-tower"));
    // One agent says nothing more than the line above it; `agent.replicas: all` has one in each pod.
    const agents = agent?.agents ?? session.agents ?? [];
    const replicas = agents.length > 1 ? agents.map((one) => node(`agent ${one.pod}`, one.pod, replicaWords(one), "package", one.reason ?? undefined)) : [];
    const config = session.config?.uri
        ? [node("config", decodeURIComponent(session.config.uri.split("/").at(-1) ?? ""), session.config.source, "settings-gear", session.config.why ?? undefined)]
        : [];
    return {
        ...node("session", name || "session", `${target} · ${word}`, icon, [word, reason, sessionId].filter(Boolean).join("\n")),
        id: sessionId,
        children: [{ ...node("agent", "agent", agentWords(agent), "rocket", agent?.image ?? undefined), children: replicas }, ...config, ...processes, ...ports],
    };
}

const PORTS: Record<string, string> = {
    steal: "the pod's clients are answered here",
    mirror: "gets a copy of what the pod's clients send",
    off: "only here",
};

function agentWords(agent: AgentStatus | undefined): string {
    if (!agent) return "asking…";
    return linkWords(agent);
}

function replicaWords(agent: PodAgent): string {
    return [agent.primary ? "files, variables and connections" : "", linkWords(agent)].filter((part) => part !== "").join(" · ");
}

function linkWords({ phase, node, roundTripUs: trip, restarts }: Pick<AgentStatus, "phase" | "node" | "roundTripUs" | "restarts">): string {
    const parts = [
        phase,
        node ?? "",
        trip === undefined || trip === null ? "" : `${trip < 1000 ? "under 1" : Math.round(trip / 1000)} ms away`,
        restarts ? `started again ${restarts} times` : "",
    ];
    return parts.filter((part) => part !== "").join(" · ");
}

const fileName = (path: string | null | undefined): string | undefined => path?.split("/").at(-1);
