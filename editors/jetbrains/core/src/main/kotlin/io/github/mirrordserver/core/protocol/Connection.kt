// How a connection begins, and what it says of itself. Held against `schemas/` by a test.

package io.github.mirrordserver.core.protocol

import com.google.gson.JsonElement

/** `initializationOptions`. */
data class InitializationOptions(
    /** What the client can show and tell. */
    val capabilities: ClientCapabilities = ClientCapabilities(),
    /** Who speaks. */
    val editor: Editor = Editor(),
    /**
     * The login shell's environment. Cluster access and templates use it, overridden by a launch's own; the daemon's
     * environment never decides.
     */
    val environment: Map<String, String>? = null,
    /** The editor's settings, as `workspace/didChangeConfiguration` sends them. */
    val settings: JsonElement? = null,
    /** The workspace is trusted; without trust nothing of it is executed or injected. */
    val workspaceTrust: Boolean? = null,
)

/** An editor's name and version. */
data class Editor(
    /** Its name. */
    val name: String? = null,
    /** Its version. */
    val version: String? = null,
)

/** What a client can do beside plain LSP. */
data class ClientCapabilities(
    /** It sends `mirrord/debug/state`. */
    val debugState: Boolean? = null,
    /** It shows `mirrord/notify`; others get `window/showMessage`. */
    val notifications: Boolean? = null,
    /** It shows sessions, and wants `mirrord/session/changed`. */
    val sessionsView: Boolean? = null,
    /** It answers `mirrord/ui/pickTarget`. */
    val targetPicker: Boolean? = null,
)

/** `capabilities.experimental.mirrord` of the answer to `initialize`. */
data class ServerCapabilities(
    /** See [`crate::PROTOCOL_VERSION`]. */
    val protocolVersion: Int,
    /** The daemon's version. */
    val serverVersion: String,
    /** Kinds of targets it can serve here. */
    val targetTypes: List<String>,
    /** Debug adapters whose launches it can patch. */
    val debugAdapters: List<String>,
    /** Every `mirrord/…` method it answers. */
    val features: List<String>,
)

/** `mirrord/status`: feeds the one status item. */
data class Status(
    /** In one word. */
    val state: String,
    /** Sessions that live, of all clients. */
    val sessions: Int,
    /** The cluster context in use. */
    val context: String? = null,
    /** What is missing, one sentence. */
    val message: String? = null,
    /** The namespace in use. */
    val namespace: String? = null,
)

/** An error's `data`. */
data class ErrorData(
    /** What kind of failure. */
    val kind: String,
    /** What was tried and what is wrong, one sentence. */
    val message: String,
    /** What caused it, outermost first. */
    val causes: List<String> = emptyList(),
    /** The file whose diagnostics tell more. */
    val diagnosticsUri: String? = null,
    /** What to do next. */
    val help: String? = null,
    /** Trying again may succeed without a change. */
    val retryable: Boolean? = null,
)

/** A result without content. */
class Empty
