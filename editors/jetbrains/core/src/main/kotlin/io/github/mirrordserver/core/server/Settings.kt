// What a connection is begun with.

package io.github.mirrordserver.core.server

import com.google.gson.JsonElement
import io.github.mirrordserver.core.protocol.PickTargetParams
import io.github.mirrordserver.core.protocol.PickTargetResult
import java.nio.file.Path

/** Asked for anew for each connection. */
class Settings(
    /** The program, as [findServer] finds it. */
    val server: Path,
    /** The plugin's version. */
    val version: String,
    /** The IDE's name and version. */
    val editor: String,
    val editorVersion: String,
    /** URIs of the folders that are open, the first one first. */
    val workspaces: List<String>,
    /** Without trust nothing of the project is run in a session. */
    val trusted: Boolean,
    /** For cluster access: [ownEnvironment]. */
    val environment: Map<String, String>,
    /** The plugin's settings as the server may want to know them. */
    val settings: JsonElement? = null,
)

/** What the connection needs of the plugin around it. None of it may wait, but for [pickTarget]. */
interface Surface {
    /** The user picks a target; a result without a path is Escape. Cancelled when the launch is. */
    suspend fun pickTarget(params: PickTargetParams): PickTargetResult

    /** A line for the IDE's log. */
    fun log(level: LogLevel, text: String)

    /** Something the user should know once, of the connection itself (another version). */
    fun warn(text: String)
}

enum class LogLevel { DEBUG, INFO, WARN, ERROR }
