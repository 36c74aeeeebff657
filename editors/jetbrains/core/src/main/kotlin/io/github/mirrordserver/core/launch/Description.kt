// A launch as a run configuration has it at the moment it is run, whatever the IDE's own classes are.

package io.github.mirrordserver.core.launch

import io.github.mirrordserver.core.protocol.Debugger
import io.github.mirrordserver.core.protocol.Launch

data class Description(
    /** The run configuration's name. */
    val name: String,
    val kind: Kind,
    /** The protocol's name of the debugger: `jdwp`, `debugpy`, `delve`, …; null for a plain process. */
    val adapter: String?,
    /** The executable that is started: a program, or the runtime (`/usr/lib/jvm/…/bin/java`) that runs it. */
    val executable: String,
    /** Arguments of the runtime, before the program; null where there is no runtime. */
    val vmArguments: List<String>?,
    /** What comes behind them. */
    val arguments: List<String>,
    val workingDirectory: String?,
    /** The run configuration's own variables; null takes one of the parent's away. */
    val environment: Map<String, String?>,
    /** The exact port between the IDE and the debuggee. */
    val debuggerPort: Int? = null,
    /** Folders of the IDE and its debuggers, which the debuggee reads on this machine. */
    val debuggerFolders: List<String> = emptyList(),
) {
    enum class Kind(val word: String) { RUN("run"), DEBUG("debug"), TEST("test") }

    /** As `mirrord/launch/prepare` wants to know it. */
    fun toLaunch(): Launch = Launch(
        name = name,
        kind = kind.word,
        adapter = adapter,
        program = executable.takeIf { vmArguments == null },
        runtime = executable.takeIf { vmArguments != null },
        args = vmArguments.orEmpty() + arguments,
        cwd = workingDirectory,
        env = environment,
        debugger = Debugger(debuggerFolders, port = debuggerPort),
    )
}
