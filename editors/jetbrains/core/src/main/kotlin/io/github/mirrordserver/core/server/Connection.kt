// One connection: JSON-RPC over the forwarder's pipes, from `initialize` to `exit`. The only file that
// knows lsp4j, but for errors.

package io.github.mirrordserver.core.server

import com.google.gson.Gson
import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonPrimitive
import io.github.mirrordserver.core.protocol.ClientCapabilities
import io.github.mirrordserver.core.protocol.Editor
import io.github.mirrordserver.core.protocol.InitializationOptions
import io.github.mirrordserver.core.protocol.MessageAdapterFactory
import io.github.mirrordserver.core.protocol.Method
import io.github.mirrordserver.core.protocol.Notification
import io.github.mirrordserver.core.protocol.Notifications
import io.github.mirrordserver.core.protocol.PROTOCOL_VERSION
import io.github.mirrordserver.core.protocol.PickTargetParams
import io.github.mirrordserver.core.protocol.Requests
import io.github.mirrordserver.core.protocol.ServerCapabilities
import io.github.mirrordserver.core.protocol.ServerRequests
import java.util.concurrent.CompletableFuture
import java.util.concurrent.ConcurrentHashMap
import kotlin.concurrent.thread
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.future.future
import kotlinx.coroutines.withContext
import org.eclipse.lsp4j.jsonrpc.Endpoint
import org.eclipse.lsp4j.jsonrpc.JsonRpcRequestFuture
import org.eclipse.lsp4j.jsonrpc.RemoteEndpoint
import org.eclipse.lsp4j.jsonrpc.ResponseErrorException
import org.eclipse.lsp4j.jsonrpc.json.JsonRpcMethod
import org.eclipse.lsp4j.jsonrpc.json.MessageJsonHandler
import org.eclipse.lsp4j.jsonrpc.json.StreamMessageConsumer
import org.eclipse.lsp4j.jsonrpc.json.StreamMessageProducer
import org.eclipse.lsp4j.jsonrpc.messages.ResponseError
import org.eclipse.lsp4j.jsonrpc.messages.ResponseErrorCode

private const val PROGRESS = "$/progress"

/** What happens on a connection; called in the order of the messages, and must return at once. */
interface Hearing {
    fun heard(notification: Notification<*>, params: Any)

    /** [why] it ended, in words for the user; not after [Connection.stop]. */
    fun ended(connection: Connection, why: String)
}

class Connection private constructor(
    private val forwarder: Forwarder,
    private val settings: Settings,
    private val surface: Surface,
    private val hearing: Hearing,
) {
    private val json = MessageJsonHandler(methods) { it.registerTypeAdapterFactory(MessageAdapterFactory) }
    private val remote = RemoteEndpoint(StreamMessageConsumer(forwarder.output, json), Local())
    private val answering = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private val progress = ConcurrentHashMap<String, (JsonElement) -> Unit>()
    private val pending: MutableSet<CompletableDeferred<Any?>> = ConcurrentHashMap.newKeySet()

    @Volatile
    private var stopped = false

    /** Why it is over; null while it lives. */
    @Volatile
    private var over: String? = null
    lateinit var capabilities: ServerCapabilities
        private set
    val gson: Gson get() = json.gson

    private fun listen() {
        json.methodProvider = remote
        thread(name = "mirrord-server connection", isDaemon = true) {
            StreamMessageProducer(forwarder.input, json, remote).listen(remote)
            val why = forwarder.whyItEnded()
            over = why
            answering.cancel()
            pending.forEach { it.completeExceptionally(broken(why)) }
            if (!stopped) hearing.ended(this, why)
        }
    }

    private suspend fun initialize() {
        val options = InitializationOptions(
            editor = Editor(settings.editor, settings.editorVersion),
            workspaceTrust = settings.trusted,
            capabilities = ClientCapabilities(targetPicker = true, sessionsView = true, debugState = true, notifications = true),
            environment = settings.environment,
            settings = settings.settings,
        )
        val folders = settings.workspaces.map { Folder(it, it.trimEnd('/').substringAfterLast('/')) }
        val params = Initialize(ProcessHandle.current().pid(), settings.workspaces.firstOrNull(), folders, JsonObject(), options)
        val answer = send("initialize", params) as JsonObject?
        capabilities = capabilitiesOf(answer)
        notify("initialized", JsonObject())
    }

    private fun capabilitiesOf(answer: JsonObject?): ServerCapabilities {
        val said = answer?.getAsJsonObject("capabilities")?.getAsJsonObject("experimental")?.get("mirrord")
        val spoken = (said as? JsonObject)?.get("protocolVersion")?.asInt ?: 0
        if (said == null || spoken != PROTOCOL_VERSION) {
            val message = "${settings.server} speaks version $spoken of the protocol, this plugin version $PROTOCOL_VERSION"
            throw ServerException(Failure("versionMismatch", message, "install the same version of both"))
        }
        return gson.fromJson(said, ServerCapabilities::class.java)
    }

    /**
     * Asks, and waits for the answer. A coroutine that is cancelled meanwhile cancels the request, and ends
     * when the server has undone what it began. What was answered all the same goes to [late].
     */
    suspend fun <P : Any, R : Any> ask(method: Method<P, R>, params: P, late: suspend (R) -> Unit = {}): R {
        val result = send(method.name, params) { late(method.result.cast(it)) }
        return method.result.cast(result)
            ?: throw ServerException(Failure("internal", "mirrord-server answered ${method.name} with nothing"))
    }

    private suspend fun send(method: String, params: Any?, late: suspend (Any?) -> Unit = {}): Any? {
        val answer = CompletableDeferred<Any?>()
        pending += answer
        try {
            val request = begin(method, params, answer)
            try {
                return answer.await()
            } catch (cancelled: CancellationException) {
                withContext(NonCancellable) {
                    withContext(Dispatchers.IO) { request.cancelRequest() }
                    val result = runCatching { answer.await() }
                    // An error is what cancelling is answered with.
                    if (result.isSuccess) late(result.getOrNull())
                }
                throw cancelled
            }
        } catch (error: ResponseErrorException) {
            throw ServerException(Failure.of(error, gson), error)
        } finally {
            pending -= answer
        }
    }

    /** Writing waits while the pipe is full, and must not be given up in the middle of a message. */
    private suspend fun begin(method: String, params: Any?, answer: CompletableDeferred<Any?>): JsonRpcRequestFuture<Any> =
        withContext(NonCancellable + Dispatchers.IO) {
            val request = remote.request(method, params)
            request.whenComplete { result, error ->
                if (error == null) answer.complete(result) else answer.completeExceptionally(unwrapped(error))
            }
            // Of a connection that broke before it was written.
            over?.let { answer.completeExceptionally(broken(it)) }
            request
        }

    private fun unwrapped(error: Throwable): Throwable =
        error as? ResponseErrorException ?: broken(over ?: error.message ?: error.toString())

    private suspend fun notify(method: String, params: Any) = withContext(Dispatchers.IO) { remote.notify(method, params) }

    /** Hears `$/progress` under this token until it is closed. */
    fun onProgress(token: String, hear: (JsonElement) -> Unit): AutoCloseable {
        progress[token] = hear
        return AutoCloseable { progress.remove(token) }
    }

    /** The orderly end: sessions go on. */
    suspend fun stop() = withContext(NonCancellable) {
        stopped = true
        try {
            send("shutdown", null)
            notify("exit", JsonObject())
        } catch (_: ServerException) {
            // It was over before.
        }
        withContext(Dispatchers.IO) { forwarder.end() }
    }

    /** What the server says and asks. */
    private inner class Local : Endpoint {
        override fun notify(method: String, params: Any?) {
            if (method == PROGRESS) {
                val said = params as? Progress ?: return
                progress[said.token.asString]?.invoke(said.value)
                return
            }
            val notification = notifications[method]
            if (notification == null || params == null) {
                surface.log(LogLevel.DEBUG, "nobody here hears $method")
                return
            }
            try {
                hearing.heard(notification, params)
            } catch (error: RuntimeException) {
                // The next message is not its fault.
                surface.log(LogLevel.ERROR, "$method could not be shown: $error")
            }
        }

        override fun request(method: String, params: Any?): CompletableFuture<*> {
            if (method == ServerRequests.uiPickTarget.name && params is PickTargetParams) {
                return answering.future { surface.pickTarget(params) }
            }
            val unknown = ResponseError(ResponseErrorCode.MethodNotFound, "$method is not known to this plugin", null)
            return CompletableFuture.failedFuture<Any>(ResponseErrorException(unknown))
        }
    }

    companion object {
        private val notifications: Map<String, Notification<*>> = Notifications.all.associateBy { it.name }

        private val methods: Map<String, JsonRpcMethod> = buildMap {
            for (one in Requests.all + ServerRequests.all) put(one.name, JsonRpcMethod.request(one.name, one.result, one.params))
            for (one in Notifications.all) put(one.name, JsonRpcMethod.notification(one.name, one.params))
            put("initialize", JsonRpcMethod.request("initialize", JsonObject::class.java, Initialize::class.java))
            put("shutdown", JsonRpcMethod.request("shutdown", JsonElement::class.java))
            put(PROGRESS, JsonRpcMethod.notification(PROGRESS, Progress::class.java))
        }

        private fun broken(why: String) =
            ServerException(Failure(Failure.DISCONNECTED, "the connection to mirrord-server ended: $why", retryable = true))

        /** Starts the program and greets. Fails with a message for the user; nothing is left then. */
        suspend fun open(settings: Settings, surface: Surface, hearing: Hearing): Connection {
            val forwarder = withContext(Dispatchers.IO) { Forwarder.start(settings) }
            val connection = Connection(forwarder, settings, surface, hearing)
            try {
                connection.listen()
                connection.initialize()
            } catch (error: Throwable) {
                connection.stopped = true
                withContext(NonCancellable + Dispatchers.IO) { forwarder.end() }
                throw error
            }
            val version = connection.capabilities.serverVersion
            if (version != settings.version) {
                surface.warn(
                    "mirrord-server is version $version and the plugin is version ${settings.version}: they speak the same " +
                        "protocol, but installing the same version of both is safer.",
                )
            }
            return connection
        }
    }

    private data class Initialize(
        val processId: Long,
        val rootUri: String?,
        val workspaceFolders: List<Folder>,
        val capabilities: JsonObject,
        val initializationOptions: InitializationOptions,
    )

    private data class Folder(val uri: String, val name: String)

    private data class Progress(val token: JsonPrimitive, val value: JsonElement)
}
