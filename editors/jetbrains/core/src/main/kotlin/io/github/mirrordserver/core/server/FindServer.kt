// Which `mirrord-server` is used: the setting's, the one on PATH when it is of our version (command
// line and editor then share one daemon), else the plugin's own.

package io.github.mirrordserver.core.server

import java.io.File
import java.io.IOException
import java.nio.file.Files
import java.nio.file.Path
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.future.await
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull

private const val NAME = "mirrord-server"

/** Where a server may be. */
class Surroundings(
    /** The setting "server"; empty when nobody has set it. */
    val setting: String,
    /** The plugin's folder, whose `server/mirrord-server` is its own; null when it is not installed as a folder. */
    val plugin: Path?,
    /** PATH. */
    val path: String,
    /** The plugin's version. */
    val version: String,
    val isExecutable: (Path) -> Boolean = { Files.isRegularFile(it) && Files.isExecutable(it) },
    /** What `--version` says; null when it cannot be run. */
    val versionOf: suspend (Path) -> String? = ::versionOf,
)

/** [why] this one, for the log. */
data class Found(val file: Path, val why: String)

/** Fails with a message for the user. */
suspend fun findServer(around: Surroundings): Found {
    val (setting, version) = around.setting to around.version
    if (setting != "") {
        val file = Path.of(setting)
        if (around.isExecutable(file)) return Found(file, "the setting names it")
        throw notThere("the setting for the server names $setting, which is no program that can be run here")
    }
    val own = around.plugin?.resolve("server")?.resolve(NAME)?.takeIf(around.isExecutable)
    val onPath = around.path.split(File.pathSeparator)
        .filter { it.startsWith("/") }
        .map { Path.of(it, NAME) }
        .firstOrNull(around.isExecutable)
    if (onPath != null) {
        val other = around.versionOf(onPath)
        if (other == version) return Found(onPath, "it is the one on PATH")
        val why = "$onPath has the version ${other ?: "that it does not tell"}, this plugin has $version"
        if (own != null) return Found(own, "it is the plugin's own; $why")
        throw notThere(why, "install the same version of both, or name a server in the settings")
    }
    if (own != null) return Found(own, "it is the plugin's own")
    throw notThere(
        "there is no $NAME for this machine: none in the plugin, none on PATH",
        "install the plugin for this platform (Linux x86_64), or name a server in the settings",
    )
}

private fun notThere(message: String, help: String? = null) = ServerException(Failure("notFound", message, help))

private const val PATIENCE_MS = 5000L

/** `mirrord-server 0.1.0` → `0.1.0`. */
private suspend fun versionOf(file: Path): String? {
    val process = try {
        withContext(Dispatchers.IO) {
            ProcessBuilder(file.toString(), "--version").redirectError(ProcessBuilder.Redirect.DISCARD).start()
        }
    } catch (_: IOException) {
        return null
    }
    try {
        // One line fits into the pipe, so it may be read afterwards; what prints more is not ours.
        val ended = withTimeoutOrNull(PATIENCE_MS) { process.onExit().await() }
        if (ended == null || ended.exitValue() != 0) return null
        val said = withContext(Dispatchers.IO) { process.inputStream.bufferedReader().readLine() }
        return said?.trim()?.substringAfterLast(' ')
    } finally {
        process.destroyForcibly()
    }
}
