// The process `mirrord-server --stdio`, whose pipes are the connection. What it says on stderr is read at
// all times, so that it never waits for us, and its last line is told when it ends.

package io.github.mirrordserver.core.server

import java.io.IOException
import java.io.InputStream
import java.io.OutputStream
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread

/** It ends so with a daemon that went away: starting it again finds the daemon's successor. */
const val EXIT_DAEMON_GONE = 75

private const val KEPT_CHARACTERS = 4000
private const val PATIENCE_S = 5L

class Forwarder private constructor(private val process: Process) {
    private val lastWords = StringBuilder()
    private val listener = thread(name = "mirrord-server stderr", isDaemon = true) { listen() }

    val input: InputStream get() = process.inputStream
    val output: OutputStream get() = process.outputStream

    private fun listen() {
        try {
            process.errorStream.bufferedReader().forEachLine { line ->
                synchronized(lastWords) {
                    lastWords.append(line).append('\n')
                    if (lastWords.length > KEPT_CHARACTERS) lastWords.delete(0, lastWords.length - KEPT_CHARACTERS)
                }
            }
        } catch (_: IOException) {
            // The pipe was closed by its end.
        }
    }

    /** Waits until it is over and tells why, in words for the user. Blocks; its output has ended already. */
    fun whyItEnded(): String {
        if (!process.waitFor(PATIENCE_S, TimeUnit.SECONDS)) process.destroyForcibly().waitFor()
        listener.join(TimeUnit.SECONDS.toMillis(PATIENCE_S))
        val said = synchronized(lastWords) { lastWords.trim().lines().last() }
        return when {
            said != "" -> said
            process.exitValue() == EXIT_DAEMON_GONE -> "the daemon of mirrord-server went away"
            else -> "mirrord-server ended with status ${process.exitValue()}"
        }
    }

    /** After an orderly end; one that does not end by itself is killed. Blocks. */
    fun end() {
        // What it has not read any more no longer matters.
        runCatching { process.outputStream.close() }
        if (!process.waitFor(PATIENCE_S, TimeUnit.SECONDS)) process.destroyForcibly().waitFor()
    }

    /** At once. */
    fun kill() {
        process.destroyForcibly()
    }

    companion object {
        /** Blocks while the system starts it. */
        fun start(settings: Settings): Forwarder {
            val builder = ProcessBuilder(settings.server.toString(), "--stdio")
            builder.environment().clear()
            builder.environment().putAll(settings.environment)
            val process = try {
                builder.start()
            } catch (error: IOException) {
                val failure = Failure("notFound", "could not start ${settings.server}: ${error.message}")
                throw ServerException(failure, error)
            }
            return Forwarder(process)
        }
    }
}
