// The one connection of this IDE window: made when it is first wanted, kept, made again when it broke.

package io.github.mirrordserver.core.server

import com.google.gson.JsonElement
import io.github.mirrordserver.core.protocol.Method
import io.github.mirrordserver.core.protocol.Notification
import io.github.mirrordserver.core.protocol.ServerCapabilities
import io.github.mirrordserver.core.protocol.Status
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicLong
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

enum class ServerState { OFF, STARTING, ON, FAILED }

/** [trouble] says why it failed, for the user. */
data class ServerView(val state: ServerState, val trouble: String = "", val status: Status? = null)

/** So often within a minute it is started again; then it is not by accident that it ends. */
private const val STARTS_A_MINUTE = 5
private const val MINUTE_NS = 60_000_000_000L

/** A request that takes long: its steps, and its rows as they come. Called in order, and must return at once. */
class LongHearing<R>(val step: (String) -> Unit = {}, val rows: ((R) -> Unit)? = null)

/**
 * [settings] finds the program and gathers what it is told; called for each connection. Everything that
 * suspends here may be called from any thread, and blocks none.
 */
class Server(
    private val scope: CoroutineScope,
    private val surface: Surface,
    private val settings: suspend () -> Settings,
) {
    private val making = Mutex()
    private var connection: Connection? = null
    private val starts = ArrayDeque<Long>()
    private val views = MutableStateFlow(ServerView(ServerState.OFF))
    private val listeners = CopyOnWriteArrayList<(Notification<*>, Any) -> Unit>()
    private val tokens = AtomicLong()
    val view: StateFlow<ServerView> = views.asStateFlow()

    /** What the server said that it can; null before the first connection. */
    @Volatile
    var capabilities: ServerCapabilities? = null
        private set

    private val hearing = object : Hearing {
        override fun heard(notification: Notification<*>, params: Any) {
            if (params is Status) views.value = views.value.copy(status = params)
            listeners.forEach { it(notification, params) }
        }

        override fun ended(connection: Connection, why: String) {
            scope.launch { broke(connection, why) }
        }
    }

    /** Connects unless it is connected. Fails with a message for the user. */
    suspend fun connect(): Connection = making.withLock {
        connection ?: begin().also { connection = it }
    }

    private suspend fun begin(): Connection {
        views.value = ServerView(ServerState.STARTING)
        try {
            val now = System.nanoTime()
            starts.addLast(now)
            while (now - starts.first() > MINUTE_NS) starts.removeFirst()
            val made = Connection.open(settings(), surface, hearing)
            capabilities = made.capabilities
            views.value = views.value.copy(state = ServerState.ON)
            return made
        } catch (cancelled: CancellationException) {
            views.value = ServerView(ServerState.OFF)
            throw cancelled
        } catch (error: Exception) {
            val failure = error.failure
            surface.log(LogLevel.ERROR, failure.message)
            views.value = ServerView(ServerState.FAILED, failure.message)
            throw ServerException(failure, error)
        }
    }

    /** Sessions outlive it, and somebody looks at them: it is started again at once, unless it ends all the time. */
    private suspend fun broke(broken: Connection, why: String) {
        val again = making.withLock {
            if (connection !== broken) return
            connection = null
            surface.log(LogLevel.WARN, "the connection to the server ended: $why")
            (starts.size < STARTS_A_MINUTE).also { again ->
                views.value = if (again) ServerView(ServerState.STARTING) else ServerView(ServerState.FAILED, why)
            }
        }
        if (!again) return
        try {
            connect()
        } catch (error: ServerException) {
            surface.log(LogLevel.WARN, "it could not be started again: ${error.message}")
        }
    }

    /** Throws [ServerException]. See [Connection.ask] for what cancelling does. */
    suspend fun <P : Any, R : Any> ask(method: Method<P, R>, params: P, late: suspend (R) -> Unit = {}): R =
        connect().ask(method, params, late)

    /** A request that tells its steps, and rows as they come. [params] get the two tokens, for both must be in them. */
    suspend fun <P : Any, R : Any> askLong(
        method: Method<P, R>,
        hear: LongHearing<R>,
        late: suspend (R) -> Unit = {},
        params: (workDoneToken: String, partialResultToken: String?) -> P,
    ): R {
        val connection = connect()
        val number = tokens.incrementAndGet()
        val (work, rows) = "work-$number" to hear.rows?.let { "rows-$number" }
        val hearings = listOfNotNull(
            connection.onProgress(work) { value -> messageOf(value)?.let(hear.step) },
            rows?.let { token ->
                connection.onProgress(token) { value -> hear.rows?.invoke(connection.gson.fromJson(value, method.result)) }
            },
        )
        try {
            return connection.ask(method, params(work, rows), late)
        } finally {
            hearings.forEach { it.close() }
        }
    }

    private fun messageOf(progress: JsonElement): String? =
        progress.takeIf { it.isJsonObject }?.asJsonObject?.get("message")?.asString

    /** [hear] is called in the order of the messages, and must return at once. Until it is closed. */
    fun <P : Any> on(notification: Notification<P>, hear: (P) -> Unit): AutoCloseable {
        val listener = { heard: Notification<*>, params: Any ->
            if (heard === notification) hear(notification.params.cast(params))
        }
        listeners += listener
        return AutoCloseable { listeners -= listener }
    }

    /** Ends the connection, not the sessions. The next question makes a new one. */
    suspend fun stop() {
        val last = making.withLock { connection.also { connection = null } }
        last?.stop()
        views.value = ServerView(ServerState.OFF)
    }
}
