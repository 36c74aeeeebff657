// `mirrord/launch/*` and `mirrord/debug/state`. Held against `schemas/` by a test.

package io.github.mirrordserver.core.protocol

import com.google.gson.JsonElement

/** A launch as the editor knows it. */
data class Launch(
    /**
     * The debug adapter: `debugpy`, `delve`, `js-debug`, `jdwp`, `cppdbg`, `lldb`, `gdb`, `coreclr`, …; nothing for a plain
     * run.
     */
    val adapter: String? = null,
    /** Its arguments. */
    val args: List<String>? = null,
    /** `integratedTerminal`, `externalTerminal`, `internalConsole`, … */
    val console: String? = null,
    /** Its working directory. */
    val cwd: String? = null,
    /** Where the debugger is. */
    val debugger: Debugger? = null,
    /** Its environment; null unsets. */
    val env: Map<String, String?> = emptyMap(),
    /** A file with more of it. */
    val envFile: String? = null,
    /** What it is for; `run` when absent. */
    val kind: String? = null,
    /** Its name in the editor. */
    val name: String? = null,
    /** The program. */
    val program: String? = null,
    /** The whole configuration as the editor has it; `patch.vscode` applies to it. */
    val raw: JsonElement? = null,
    /** The interpreter or runtime that runs it. */
    val runtime: String? = null,
)

/** Where a debugger is. */
data class Debugger(
    /** Folders that the editor and the debugger are installed in: what the debuggee reads there for them is this machine's. */
    val folders: List<String> = emptyList(),
    /** The debug adapter's process. */
    val pid: Int? = null,
    /** The port that the debuggee connects to or listens on for it. */
    val port: Int? = null,
)

/** `mirrord/launch/prepare`. */
data class PrepareParams(
    /** The launch. */
    val launch: Launch,
    /** The toggle's value; `MIRRORD_ACTIVE` in the launch's environment beats it. */
    val active: Boolean? = null,
    /** The configuration file that the launch names (URI). */
    val configUri: String? = null,
    /** The user may be asked (`mirrord/ui/pickTarget`). */
    val interactive: Boolean? = null,
    /** `user` when absent. */
    val ownedBy: String? = null,
    /** A target that beats the configuration's. */
    val target: String? = null,
    /** Progress is told under this token. */
    val workDoneToken: String? = null,
    /** The folder that owns the launch (URI), or null. */
    val workspace: String? = null,
)

/** What the client applies: `patch.<editor>` or the neutral fields, never both. */
data class PrepareResult(
    /** What to do. */
    val decision: String,
    /** Why, one sentence. */
    val reason: String,
    /** What to put before the arguments. */
    val argv: ArgvChange? = null,
    /** The configuration, and why this one. */
    val config: ConfigChoice? = null,
    /** Changes of the environment. No values of the pod. */
    val env: EnvChanges = EnvChanges(),
    /** When the session ends if no process appears; `mirrord/launch/keep` extends it. */
    val expiresAt: String? = null,
    /** What stays on this machine. */
    val local: LocalParts = LocalParts(),
    /** The same for an editor's own launch object. */
    val patch: Patch = Patch(),
    /** The program to start instead. */
    val program: String? = null,
    /** The session; there is one with `inject` only. */
    val sessionId: String? = null,
    /** For the status item: `sandbox/default`. */
    val statusText: String? = null,
    /** The target. */
    val target: String? = null,
    /** What the user should know. */
    val warnings: List<String> = emptyList(),
)

/** Changes of an environment. */
data class EnvChanges(
    /** Set these. */
    val set: Map<String, String> = emptyMap(),
    /** Remove these. */
    val unset: List<String> = emptyList(),
)

/** A change of the command line. */
data class ArgvChange(
    /** Put before the program and its arguments. With delve the program is the debugger. */
    val prefix: List<String>,
    /** All arguments anew, where ours belong in the middle (`docker run`). */
    val args: List<String>? = null,
)

/** Patches of the editors' own launch objects. */
data class Patch(
    /** For a run configuration of JetBrains' IDEs. */
    val jetbrains: JetBrainsPatch? = null,
    /** RFC 6902 over `launch.raw`. */
    val vscode: List<JsonElement>? = null,
)

/** A patch for JetBrains' IDEs. */
data class JetBrainsPatch(
    /** All arguments anew, where ours belong in the middle (`docker run`). */
    val args: List<String>? = null,
    /** Variables to set. */
    val env: Map<String, String> = emptyMap(),
    /** The executable to start instead. */
    val exe: String? = null,
    /** Arguments to put first. */
    val prependArgs: List<String> = emptyList(),
    /** Variables to remove. */
    val unset: List<String> = emptyList(),
    /** Arguments for the virtual machine. */
    val vmArgs: List<String> = emptyList(),
)

/** What stays on this machine. */
data class LocalParts(
    /** Ports that are the debugger's. */
    val ports: List<Int> = emptyList(),
    /** Executables that are left alone. */
    val processes: List<String> = emptyList(),
)

/** Which file was used, and why. */
data class ConfigChoice(
    /** What chose it. */
    val source: String,
    /** The file. */
    val uri: String? = null,
    /** The same in a sentence. */
    val why: String? = null,
)

/** `mirrord/launch/bind`: the debuggee runs. Idempotent, once for each debuggee. */
data class BindParams(
    /** The session. */
    val sessionId: String,
    /** The debuggee, as the daemon sees pids. */
    val pid: Int,
    /** The exact port of its debugger. */
    val debuggerPort: Int? = null,
)

/** `mirrord/launch/keep` and `mirrord/launch/abort`. */
data class SessionParams(
    /** The session. */
    val sessionId: String,
)

/** A new end of waiting. */
data class KeepResult(
    /** When the session ends if no process appears; none when it runs already. */
    val expiresAt: String? = null,
)

/** `mirrord/debug/state`. */
data class DebugStateParams(
    /** The session. */
    val sessionId: String,
    /** The debuggee. */
    val pid: Int,
    /** What it does. */
    val state: String,
)
