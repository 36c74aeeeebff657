// `mirrord/explain`, `mirrord/doctor` and `mirrord/notify`. Held against `schemas/` by a test.

package io.github.mirrordserver.core.protocol

import com.google.gson.JsonElement

/** `mirrord/explain`: exactly one of path, host, port (alone or with host) and env. */
data class ExplainParams(
    /** The configuration file; else the one that the workspace's launches use. */
    val configUri: String? = null,
    /** A variable's name. */
    val env: String? = null,
    /** A host name or address that it would connect to. */
    val host: String? = null,
    /** A path that a program would open. */
    val path: String? = null,
    /** With `host` the port it would connect to; alone the port that it would listen on. */
    val port: Int? = null,
    /** The folder (URI). */
    val workspace: String? = null,
)

/** Where it would go. */
data class ExplainResult(
    /** `local`, `remote`, `notFound`, `refused`; for ports `steal`, `mirror`, `off`. */
    val place: String,
    /** The rule, as events name it. */
    val rule: String,
    /** The same in a sentence. */
    val detail: String,
    /** The configuration. */
    val config: ConfigChoice? = null,
    /** Where the rule comes from, when it is written somewhere. */
    val origin: Origin? = null,
)

/** `mirrord/doctor`. */
data class DoctorParams(
    /** Checks come as partial results, each when it is done. */
    val partialResultToken: String? = null,
    /** Also look at this target. */
    val target: String? = null,
    /** Progress is told under this token. */
    val workDoneToken: String? = null,
)

/** The checks. */
data class DoctorResult(
    /** In a fixed order. */
    val checks: List<Check>,
)

/** One check. */
data class Check(
    /** A stable name: `kernel.seccompNotify`. */
    val id: String,
    /** What was looked at. */
    val title: String,
    /** How it went. */
    val status: String,
    /** What was found. */
    val detail: String,
    /** What to do about it. */
    val fix: String? = null,
)

/** `mirrord/notify`. */
data class NotifyParams(
    /** A stable name for this kind of message; what `mirrord/notify/mute` takes. */
    val id: String,
    /** How loud. */
    val level: String,
    /** One sentence. */
    val text: String,
    /** Buttons. */
    val actions: List<Action> = emptyList(),
    /** What to do next. */
    val help: String? = null,
)

/** A button: a command for `workspace/executeCommand` or one of the editor's own. */
data class Action(
    /** Its label. */
    val title: String,
    /** The command. */
    val command: String,
    /** The command's arguments. */
    val arguments: List<JsonElement> = emptyList(),
)

/** `mirrord/notify/mute`: the daemon remembers it for this user. */
data class MuteParams(
    /** The kind of message. */
    val id: String,
    /** Whether to be silent about it. */
    val muted: Boolean,
)
