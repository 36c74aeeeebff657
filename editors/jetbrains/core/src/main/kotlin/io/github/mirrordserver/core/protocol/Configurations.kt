// `mirrord/config/*`. Held against `schemas/` by a test.

package io.github.mirrordserver.core.protocol

import com.google.gson.JsonElement

/** `mirrord/config/setActive`, and `mirrord/config/activeChanged` to every client. */
data class ActiveFile(
    /** The folder (URI). */
    val workspace: String,
    /** The active file; none to go back to the default. */
    val uri: String? = null,
)

/** One configuration file. */
data class ConfigFile(
    /** Where it is. */
    val uri: String,
    /** Why it is in the list. */
    val kind: String,
    /** Its language. */
    val format: String,
    /** It has no errors. */
    val valid: Boolean,
    /** Its target, when it names one. */
    val target: String? = null,
    /** The folder that it belongs to (URI). */
    val workspace: String? = null,
)

/** `mirrord/config/list`. */
data class ConfigListParams(
    /** Rows come as partial results. */
    val partialResultToken: String? = null,
    /** Only of this folder (URI); else of all the client's folders. */
    val workspace: String? = null,
)

/** The configuration files. */
data class ConfigListResult(
    /** The active one first, then by name. */
    val files: List<ConfigFile>,
)

/** `mirrord/config/create`: a new file from a template. */
data class CreateParams(
    /** The folder (URI). */
    val workspace: String,
    /** JSON when absent. */
    val format: String? = null,
    /** The file's name without folder and ending; `mirrord` when absent. */
    val name: String? = null,
    /** The target to put into it. */
    val target: String? = null,
)

/** The new file, to be made by the client. */
data class CreateResult(
    /** Where it will be. */
    val uri: String,
    /** Makes it. */
    val edit: WorkspaceEdit,
)

/** `mirrord/config/setTarget`: another target for a file; its open text counts, if it is open. */
data class SetTargetParams(
    /** The file. */
    val uri: String,
    /** The target, as `mirrord/targets/list` names it. */
    val target: String,
)

/** The edit that makes it the file's target; comments and layout stay as they are. */
data class SetTargetResult(
    /** Puts it there. */
    val edit: WorkspaceEdit,
)

/** `mirrord/config/resolve`. */
data class ResolveParams(
    /** The file that the launch names. */
    val configUri: String? = null,
    /** The launch's working directory. */
    val cwd: String? = null,
    /** The launch's environment; null unsets. */
    val env: Map<String, String?> = emptyMap(),
    /** The launch's target, which beats the file's. */
    val target: String? = null,
    /** The folder that owns the launch (URI). */
    val workspace: String? = null,
)

/** What a launch would use. */
data class ResolveResult(
    /** The file, and why this one. */
    val config: ConfigChoice,
    /** Each value that counts. */
    val values: List<EffectiveValue>,
    /** What is wrong with the file. */
    val diagnostics: List<Diagnostic>,
)

/** A value that counts. */
data class EffectiveValue(
    /** Its key: `feature.fs.mode`. */
    val path: String,
    /** The value; secrets are `"***"`. */
    val value: JsonElement,
    /** Where it comes from. */
    val origin: Origin,
    /** The value may be a secret and is not shown. */
    val redacted: Boolean? = null,
)

/** Where a value comes from. */
data class Origin(
    /** Of what kind. */
    val kind: String,
    /** The flag or the variable. */
    val name: String? = null,
    /** Where in the file. */
    val range: Range? = null,
    /** The file. */
    val uri: String? = null,
)

/** `mirrord/config/verify`: a file, or a text that need not be saved. */
data class VerifyParams(
    /** The text's language; else from the file's name. */
    val format: String? = null,
    /** The text itself. */
    val text: String? = null,
    /** The file; its open text counts, if it is open. */
    val uri: String? = null,
)

/** What is wrong. */
data class VerifyResult(
    /** There are no errors (there may be warnings). */
    val ok: Boolean,
    /** In the file's order. */
    val diagnostics: List<Diagnostic>,
)

/** One thing that is wrong. */
data class Diagnostic(
    /** Where in the text. */
    val range: Range,
    /** How bad. */
    val severity: String,
    /** A name for this kind of fault, stable. */
    val code: String,
    /** What is wrong. */
    val message: String,
    /** An edit that mends it. */
    val fix: Fix? = null,
    /** What to do about it. */
    val help: String? = null,
    /** The file, when it is not the one asked about. */
    val uri: String? = null,
)

/** An edit that mends a fault. */
data class Fix(
    /** What it does. */
    val title: String,
    /** The changes. */
    val edits: List<TextEdit>,
)

/** `mirrord/config/fromSession`. */
data class FromSessionParams(
    /** The session whose events count. */
    val sessionId: String,
    /** For a new file. */
    val format: String? = null,
    /** The file to change or make; else a new one in the session's workspace. */
    val uri: String? = null,
)

/** The least configuration that a session's events needed. */
data class FromSessionResult(
    /** The whole new text. */
    val text: String,
    /** Puts it there. */
    val edit: WorkspaceEdit,
    /**
     * Why each key is in it, and each value of a list (`feature.fs.read_only.0`). In YAML and TOML the text has them as
     * comments too.
     */
    val reasons: List<KeyReason>,
    /** What keys cannot say: events that are missing, values that were left out since they may be secrets. */
    val notes: List<String> = emptyList(),
)

/** Why a key is in a proposed configuration. */
data class KeyReason(
    /** The key. */
    val path: String,
    /** Which events ask for it. */
    val why: String,
)
