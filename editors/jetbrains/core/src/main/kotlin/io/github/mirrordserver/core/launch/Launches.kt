// What was prepared here: which session belongs to which run, and whether its process began. A session
// whose process never comes ends by itself after a minute; one whose build still runs is kept waiting.

package io.github.mirrordserver.core.launch

import io.github.mirrordserver.core.protocol.BindParams
import io.github.mirrordserver.core.protocol.ErrorKinds
import io.github.mirrordserver.core.protocol.Requests
import io.github.mirrordserver.core.protocol.SessionGetParams
import io.github.mirrordserver.core.protocol.SessionParams
import io.github.mirrordserver.core.protocol.SessionStates
import io.github.mirrordserver.core.protocol.SessionStopParams
import io.github.mirrordserver.core.server.Server
import io.github.mirrordserver.core.server.ServerException
import java.util.concurrent.ConcurrentHashMap
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch

private val KEEP_EVERY = 30.seconds

/** How often, and how far apart, it is looked whether a session's programs have ended. */
private const val LOOKS = 20
private val LOOK = 250.milliseconds

class Launches(private val server: Server, private val scope: CoroutineScope) {
    private val waiting = ConcurrentHashMap<String, Job>()

    /** It waits for its process from now on, as long as [stillBuilds]. */
    fun waits(sessionId: String, stillBuilds: () -> Boolean) {
        waiting[sessionId] = scope.launch {
            while (true) {
                delay(KEEP_EVERY)
                // Only a build is waited for; nobody comes back to a launch that failed.
                if (stillBuilds()) keep(sessionId)
            }
        }
    }

    private suspend fun keep(sessionId: String) {
        try {
            server.ask(Requests.launchKeep, SessionParams(sessionId))
        } catch (error: ServerException) {
            // It is over already.
            if (isOver(error)) stopWaiting(sessionId) else throw error
        }
    }

    private fun stopWaiting(sessionId: String) {
        waiting.remove(sessionId)?.cancel()
    }

    /** Its process runs. Idempotent, once for each debuggee. */
    suspend fun bind(sessionId: String, pid: Long, debuggerPort: Int? = null) {
        stopWaiting(sessionId)
        server.ask(Requests.launchBind, BindParams(sessionId, pid.toInt(), debuggerPort))
    }

    /** The process will not come. */
    suspend fun abort(sessionId: String) {
        stopWaiting(sessionId)
        unlessOver { server.ask(Requests.launchAbort, SessionParams(sessionId)) }
    }

    /**
     * Its run is over. A session in which nothing runs is ended: one whose process was never told would wait
     * a minute for another one. What still runs keeps it.
     */
    suspend fun ended(sessionId: String) {
        stopWaiting(sessionId)
        unlessOver {
            repeat(LOOKS) {
                val session = server.ask(Requests.sessionGet, SessionGetParams(sessionId))
                if (session.state == SessionStates.READY) return abort(sessionId)
                if (session.processes.isEmpty()) {
                    server.ask(Requests.sessionStop, SessionStopParams(sessionId, graceMs = 0))
                    return
                }
                // The debugger itself may be just about to end.
                delay(LOOK)
            }
        }
    }

    private inline fun unlessOver(body: () -> Unit) {
        try {
            body()
        } catch (error: ServerException) {
            // It is gone, as it should be.
            if (!isOver(error)) throw error
        }
    }

    private fun isOver(error: ServerException): Boolean {
        val kind: String = error.failure.kind
        return kind == ErrorKinds.NOT_FOUND || kind == ErrorKinds.WRONG_STATE
    }
}
