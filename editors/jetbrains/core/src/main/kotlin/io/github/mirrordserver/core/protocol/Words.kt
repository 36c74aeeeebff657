// Words of the protocol that decide something here. Its enums are open: any other word is possible.

package io.github.mirrordserver.core.protocol

/** `ErrorData.kind`. */
object ErrorKinds {
    const val CANCELLED = "cancelled"
    const val INTERNAL = "internal"
    const val NOT_FOUND = "notFound"
    const val WRONG_STATE = "wrongState"
}

/** `PrepareResult.decision`. */
object Decisions {
    const val INJECT = "inject"
    const val SKIP = "skip"
    const val CANCELLED = "cancelled"
}

/** `DebugStateParams.state`. */
object DebugStates {
    const val PAUSED = "paused"
    const val RUNNING = "running"
    const val DISCONNECTED = "disconnected"
}

/** `Session.state`. */
object SessionStates {
    const val READY = "ready"
    const val RUNNING = "running"
    const val ENDED = "ended"
}
