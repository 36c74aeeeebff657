// What is shown of the doctor's checks. Pure.

import type { Check } from "../server/protocol";

export interface Shown {
    label: string;
    description: string;
    detail?: string;
    /** A command line that may mend it. */
    command?: string;
}

const ICONS: Record<string, string> = { ok: "pass", warn: "warning", fail: "error" };
const ORDER = ["fail", "warn", "ok"];

/** What fails first. */
export function shown(checks: readonly Check[]): Shown[] {
    const rank = ({ status }: Check) => ORDER.indexOf(status);
    return [...checks]
        .sort((a, b) => rank(a) - rank(b))
        .map(({ title, detail, fix, status }) => ({
            label: `$(${ICONS[status] ?? "question"}) ${title}`,
            description: detail,
            detail: fix ? `→ ${fix}` : undefined,
            command: commandIn(fix ?? ""),
        }));
}

/** The command line between backticks, if there is one: other words between them are names. */
function commandIn(fix: string): string | undefined {
    const quoted = [...fix.matchAll(/`([^`]+)`/g)].map(([, text]) => text ?? "");
    return quoted.find((text) => text.includes(" "));
}

export function summary(checks: readonly Check[], over: boolean): string {
    const count = (status: string) => checks.filter((one) => one.status === status).length;
    const words = [`${count("ok")} work`, `${count("warn")} to look at`, `${count("fail")} fail`].join(", ");
    return over ? words : `${words}, more to come…`;
}
