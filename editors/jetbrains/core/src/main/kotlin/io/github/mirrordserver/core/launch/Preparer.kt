// One launch: asked of the server with steps and Cancel, and the question when that failed. What it
// returns is what is run. It never returns a plain launch that the user did not want.

package io.github.mirrordserver.core.launch

import io.github.mirrordserver.core.Behaviour
import io.github.mirrordserver.core.configs.expandProjectPath
import io.github.mirrordserver.core.configs.namedByDefault
import io.github.mirrordserver.core.picker.Chosen
import io.github.mirrordserver.core.protocol.ErrorKinds
import io.github.mirrordserver.core.protocol.PrepareParams
import io.github.mirrordserver.core.protocol.PrepareResult
import io.github.mirrordserver.core.protocol.Requests
import io.github.mirrordserver.core.protocol.ResolveParams
import io.github.mirrordserver.core.protocol.RestartParams
import io.github.mirrordserver.core.protocol.SessionParams
import io.github.mirrordserver.core.server.Failure
import io.github.mirrordserver.core.server.LongHearing
import io.github.mirrordserver.core.server.Server
import io.github.mirrordserver.core.server.ServerException
import java.nio.file.Path

/** [chosen] is the target of a folder's launches, [defaultConfig] the setting for its configuration file. */
class Preparer(
    private val server: Server,
    private val surface: LaunchSurface,
    private val chosen: (folder: Path?) -> Chosen?,
    private val defaultConfig: (folder: Path?) -> String,
) {
    /** A cancelled coroutine leaves no session. */
    suspend fun prepare(wanted: Wanted): Answer {
        while (true) {
            val failure = try {
                val result = once(wanted)
                answerOf(wanted, result)?.let { return it }
                unknown(result)
            } catch (error: ServerException) {
                if (outcomeOf(error.failure) == Outcome.NONE) return Answer.Not
                error.failure
            }
            when (val choice = surface.ask(questionOf(failure))) {
                Choice.RUN_PLAIN -> return Answer.Plain
                Choice.TRY_AGAIN -> continue
                else -> {
                    if (choice == Choice.OPEN_CONFIGURATION) failure.diagnosticsUri?.let { surface.open(it) }
                    if (choice == Choice.SHOW_LOG) surface.showLog()
                    return Answer.Not
                }
            }
        }
    }

    private suspend fun once(wanted: Wanted): PrepareResult {
        val hear = LongHearing<PrepareResult>(step = { surface.step(wanted.launch, it) })
        if (wanted.again != null) {
            try {
                return server.askLong(Requests.sessionRestart, hear, ::abort) { work, _ -> RestartParams(wanted.again, work) }
            } catch (error: ServerException) {
                // The server was started after that session: the launch is prepared as a new one.
                if (error.failure.kind != ErrorKinds.WRONG_STATE) throw error
            }
        }
        val params = paramsOf(wanted)
        return server.askLong(Requests.launchPrepare, hear, ::abort) { work, _ -> params.copy(workDoneToken = work) }
    }

    private suspend fun paramsOf(wanted: Wanted): PrepareParams {
        val target = chosen(wanted.folder)
        val launch = wanted.launch.toLaunch()
        val env = expandProjectPath(target?.environment.orEmpty() + launch.env, wanted.folder)
        return PrepareParams(
            launch = launch.copy(env = env),
            active = wanted.active,
            configUri = configUri(wanted.folder, env, launch.cwd),
            interactive = true,
            target = wanted.target ?: target?.path,
            workspace = wanted.folder?.toUri()?.toString()?.trimEnd('/'),
        )
    }

    /** The file that the setting names, when nothing else does. */
    private suspend fun configUri(folder: Path?, env: Map<String, String?>, cwd: String?): String? {
        val setting = defaultConfig(folder)
        if (folder == null || setting == "") return null
        val workspace = folder.toUri().toString().trimEnd('/')
        val resolved = server.ask(Requests.configResolve, ResolveParams(workspace = workspace, env = env, cwd = cwd))
        return namedByDefault(resolved.config.source, setting, folder)?.toUri()?.toString()
    }

    /** Of a launch that was cancelled while the answer was on its way. */
    private suspend fun abort(result: PrepareResult) {
        result.sessionId?.let { server.ask(Requests.launchAbort, SessionParams(it)) }
    }

    private fun answerOf(wanted: Wanted, result: PrepareResult): Answer? =
        when (outcomeOf(result)) {
            Outcome.PATCHED -> {
                val session = result.sessionId ?: throw broken("prepared a launch and named no session")
                val patch = result.patch.jetbrains ?: throw broken("prepared a launch and told no change for this IDE")
                Answer.Patched(wanted.launch.patched(patch), patch, session, result)
            }
            Outcome.UNCHANGED -> Answer.Plain
            Outcome.NONE -> Answer.Not
            Outcome.ASKED -> null
        }

    private fun broken(what: String) = ServerException(Failure(ErrorKinds.INTERNAL, "the server $what"))

    private fun unknown(result: PrepareResult) =
        Failure(ErrorKinds.INTERNAL, "the server answered \"${result.decision}\" (${result.reason}), which this version does not know")

    private fun questionOf(failure: Failure): Question {
        val choices = buildList {
            add(Choice.RUN_PLAIN)
            if (failure.diagnosticsUri != null) add(Choice.OPEN_CONFIGURATION)
            if (failure.retryable) add(Choice.TRY_AGAIN)
            add(Choice.SHOW_LOG)
            add(Choice.CANCEL)
        }
        return Question("${Behaviour.question.title}: ${failure.message}", failure.detail, choices, failure)
    }
}

/** The label of a button. */
val Choice.label: String
    get() = when (this) {
        Choice.RUN_PLAIN -> Behaviour.question.run
        Choice.CANCEL -> Behaviour.question.cancel
        Choice.TRY_AGAIN -> "Try again"
        Choice.OPEN_CONFIGURATION -> "Open the configuration"
        Choice.SHOW_LOG -> "Show log"
    }
