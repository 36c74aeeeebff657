// What went wrong, for the user: the server's own words where it has some.

import type { ErrorData } from "./protocol";

export interface Failure {
    kind: string;
    message: string;
    help?: string;
    causes: string[];
    diagnosticsUri?: string;
    retryable: boolean;
}

/** LSP's RequestCancelled; ours after everything that was begun was undone. */
const REQUEST_CANCELLED = -32800;

export function failureOf(error: unknown): Failure {
    const { code, data, message } = error as { code?: number; data?: ErrorData; message?: string };
    if (code === REQUEST_CANCELLED) return { kind: "cancelled", message: "cancelled", causes: [], retryable: false };
    return {
        kind: data?.kind ?? "internal",
        message: data?.message ?? message ?? String(error),
        help: data?.help ?? undefined,
        causes: data?.causes ?? [],
        diagnosticsUri: data?.diagnosticsUri ?? undefined,
        retryable: data?.retryable ?? false,
    };
}

export const isCancelled = (failure: Failure): boolean => failure.kind === "cancelled";

/** What to do next and what caused it, one line each. */
export function detailOf({ help, causes }: Failure): string {
    return [...(help ? [sentence(help)] : []), ...causes.map((cause) => `• ${cause}`)].join("\n");
}

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
