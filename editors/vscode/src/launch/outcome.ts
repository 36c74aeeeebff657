// What becomes of a launch after the server's answer.

import { type Failure, isCancelled } from "../server/failure";
import type { PrepareResult } from "../server/protocol";

/** `asked`: the user decides whether it is run without mirrord. It is never run so in silence. */
export type Outcome = "patched" | "unchanged" | "none" | "asked";

export function outcomeOf(result: Pick<PrepareResult, "decision">): Outcome {
    switch (result.decision) {
        case "inject":
            return "patched";
        case "skip":
            return "unchanged";
        case "cancelled":
            return "none";
        default:
            return "asked";
    }
}

export const outcomeOfFailure = (failure: Failure): Outcome => (isCancelled(failure) ? "none" : "asked");
