// What the panel's page and the extension say to each other.

import type { Entry } from "./entry";

export interface SessionChoice {
    sessionId: string;
    label: string;
}

export type ToPage =
    | { kind: "sessions"; sessions: SessionChoice[]; current: string | undefined }
    | { kind: "entries"; entries: readonly Entry[]; fresh: boolean };

export type FromPage =
    | { kind: "ready" }
    | { kind: "session"; sessionId: string }
    | { kind: "local"; wanted: boolean }
    | { kind: "copy"; text: string }
    | { kind: "rule"; subject: string; value: string; action: string };
