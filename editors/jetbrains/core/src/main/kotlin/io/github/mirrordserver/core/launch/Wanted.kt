// What is asked of the server for one launch, and what comes of it.

package io.github.mirrordserver.core.launch

import io.github.mirrordserver.core.protocol.JetBrainsPatch
import io.github.mirrordserver.core.protocol.PrepareResult
import io.github.mirrordserver.core.server.Failure
import java.nio.file.Path

class Wanted(
    /** The project's folder; null for a launch of no project. */
    val folder: Path?,
    val launch: Description,
    /** The switch's value: [Switches.isOn]. */
    val active: Boolean,
    /** A target that beats everything. */
    val target: String? = null,
    /** The session of the run before, which is ended; its target stays when it was picked. */
    val again: String? = null,
)

/** What becomes of a launch. */
sealed interface Answer {
    /** It is run as [launch] says, in the session [sessionId]. */
    data class Patched(val launch: Description, val patch: JetBrainsPatch, val sessionId: String, val result: PrepareResult) : Answer

    /** It is run as it is. */
    data object Plain : Answer

    /** It is not run. */
    data object Not : Answer
}

/** What the user can answer when a launch could not be prepared. */
enum class Choice { RUN_PLAIN, CANCEL, TRY_AGAIN, OPEN_CONFIGURATION, SHOW_LOG }

/** [choices] in the order of their buttons; the last one is also what closing it means. */
data class Question(val title: String, val detail: String, val choices: List<Choice>, val failure: Failure)

/** What a launch needs of the IDE. Called from any thread; dialogs are theirs to put on the right one. */
interface LaunchSurface {
    /** Shows progress with a Cancel button that cancels the calling coroutine, and [step] in it. */
    fun step(launch: Description, step: String)

    suspend fun ask(question: Question): Choice

    /** A configuration file's URI. */
    suspend fun open(uri: String)

    suspend fun showLog()
}
