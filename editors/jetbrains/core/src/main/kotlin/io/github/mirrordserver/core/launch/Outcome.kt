// What becomes of a launch after the server's answer.

package io.github.mirrordserver.core.launch

import io.github.mirrordserver.core.protocol.Decisions
import io.github.mirrordserver.core.protocol.PrepareResult
import io.github.mirrordserver.core.server.Failure

/** [word] is the one of `editors/behaviour.json`. */
enum class Outcome(val word: String) {
    PATCHED("patched"),
    UNCHANGED("unchanged"),

    /** Nothing is run. */
    NONE("none"),

    /** The user decides whether it is run without mirrord. It is never run so in silence. */
    ASKED("asked"),
}

fun outcomeOf(result: PrepareResult): Outcome =
    when (result.decision) {
        Decisions.INJECT -> Outcome.PATCHED
        Decisions.SKIP -> Outcome.UNCHANGED
        Decisions.CANCELLED -> Outcome.NONE
        else -> Outcome.ASKED
    }

fun outcomeOf(failure: Failure): Outcome = if (failure.isCancelled) Outcome.NONE else Outcome.ASKED
