// Applies `patch.jetbrains` to a launch. The run configuration itself is never changed: only the command
// line of this one run.

package io.github.mirrordserver.core.launch

import io.github.mirrordserver.core.protocol.JetBrainsPatch

/** A changed copy. Variables that are taken away become null: the parent's must not come through either. */
fun Description.patched(patch: JetBrainsPatch): Description {
    val (prefix, rest) = when (val all = patch.args) {
        // All arguments anew, the runtime's included.
        null -> (patch.prependArgs to arguments)
        else -> (patch.prependArgs to all)
    }
    val vm = vmArguments?.takeIf { patch.args == null }?.plus(patch.vmArgs)
    val hasPrefix = prefix.isNotEmpty()
    return copy(
        executable = patch.exe ?: executable,
        // Behind a launcher the runtime's arguments are the launcher's last ones.
        vmArguments = if (hasPrefix && vm != null) prefix + vm else vm,
        arguments = if (hasPrefix && vm == null) prefix + rest else rest,
        environment = environment + patch.env + patch.unset.associateWith { null },
    )
}

/** The whole command line. */
val Description.commandLine: List<String> get() = listOf(executable) + vmArguments.orEmpty() + arguments
