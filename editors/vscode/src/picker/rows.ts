// The rows of the target picker: last used ones first, then by kind, the few before the many. Pure.

import type { TargetRow } from "../server/protocol";

export interface Row {
    label: string;
    description: string;
    /** The target; undefined for a heading. */
    path?: string;
    row?: TargetRow;
}

export const TARGETLESS = "targetless";
const RECENT = 5;
const FIRST = ["sandbox", "container"];
/** Every process of the machine can be one. */
const LAST = "process";

const ICONS: Record<string, string> = {
    sandbox: "beaker",
    process: "server-process",
    container: "package",
    pod: "package",
    deployment: "versions",
    rollout: "versions",
    statefulset: "database",
    job: "tasklist",
    cronjob: "history",
    service: "globe",
    replicaset: "layers",
};

/** Changes of a list by what a watch tells. */
export function changed(rows: readonly TargetRow[], { removed, updated }: { removed: string[]; updated: TargetRow[] }): TargetRow[] {
    const gone = new Set([...removed, ...updated.map(({ path }) => path)]);
    return [...rows.filter(({ path }) => !gone.has(path)), ...updated];
}

export function rowsOf(targets: readonly TargetRow[]): Row[] {
    const used = targets
        .filter((one) => one.lastUsed)
        .sort((a, b) => (b.lastUsed ?? "").localeCompare(a.lastUsed ?? ""))
        .slice(0, RECENT);
    const rest = targets.filter((one) => !used.includes(one)).sort((a, b) => a.path.localeCompare(b.path, "en", { numeric: true }));
    const of = (kind: string) => section(plural(kind), rest.filter((one) => one.kind === kind));
    const others = [...new Set(rest.map(({ kind }) => kind))].filter((kind) => !FIRST.includes(kind) && kind !== LAST);
    return [
        ...section("last used", used),
        ...[...FIRST, ...others].flatMap(of),
        heading("without a target"),
        { label: `$(circle-slash) ${TARGETLESS}`, description: "in the cluster, with no pod's files and variables", path: TARGETLESS },
        ...of(LAST),
    ];
}

const plural = (kind: string): string => (/(s|x)$/.test(kind) ? `${kind}es` : `${kind}s`);

const heading = (label: string): Row => ({ label, description: "" });

function section(title: string, targets: TargetRow[]): Row[] {
    return targets.length === 0 ? [] : [heading(title), ...targets.map(rowOf)];
}

function rowOf(row: TargetRow): Row {
    const icon = row.ready ? (ICONS[row.kind] ?? "symbol-misc") : "warning";
    return { label: `$(${icon}) ${row.path}`, description: descriptionOf(row), path: row.path, row };
}

function descriptionOf({ path, name, namespace, pods, ports, ready, reason }: TargetRow): string {
    const parts = [
        path.endsWith(`/${name}`) ? "" : name,
        ready ? "" : `not ready${reason ? `: ${reason}` : ""}`,
        pods ? `${pods.ready}/${pods.wanted} pods` : "",
        ports && ports.length > 0 ? `listens on ${ports.join(", ")}` : "",
        namespace ?? "",
    ];
    return parts.filter((part) => part !== "").join(" · ");
}
