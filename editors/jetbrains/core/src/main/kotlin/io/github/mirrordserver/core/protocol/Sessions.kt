// `mirrord/session/*`. Held against `schemas/` by a test.

package io.github.mirrordserver.core.protocol

import com.google.gson.JsonElement

/** A session. */
data class Session(
    /** Its id. */
    val sessionId: String,
    /** The launch's name, or the command. */
    val name: String,
    /** Where it is in its life. */
    val state: String,
    /** Its target. */
    val target: String,
    /** When it began. */
    val startedAt: String,
    /** Its processes. */
    val processes: List<Process>,
    /** Ports that its programs listen on. */
    val ports: List<Port>,
    /** The number of its last event. */
    val lastSeq: Long,
    /** Its agents, where they are in a cluster: the primary one first. */
    val agents: List<PodAgent> = emptyList(),
    /** Its configuration. */
    val config: ConfigChoice? = null,
    /** When it ends if no process appears. */
    val expiresAt: String? = null,
    /** Why it is in this state. */
    val reason: String? = null,
    /** The folder that owns it (URI). */
    val workspace: String? = null,
)

/** A process in a session. */
data class Process(
    /** Its pid on this machine. */
    val pid: Int,
    /** It is a debuggee that an editor named. */
    val bound: Boolean? = null,
    /** Its executable. */
    val exe: String? = null,
    /** It stands at a breakpoint. */
    val paused: Boolean? = null,
)

/** A port that a program of a session listens on. */
data class Port(
    /** The port it asked for. */
    val port: Int,
    /** `steal`, `mirror` or `off`. */
    val mode: String,
)

/** `mirrord/session/changed`: a session began, ended or changed its state, for views of all. */
data class SessionChanged(
    /** The session; with the state `ended` it leaves the list. */
    val session: Session,
)

/** `mirrord/session/list`. */
data class SessionListParams(
    /** Only sessions of this folder (URI). */
    val workspace: String? = null,
)

/** This user's sessions. */
data class SessionListResult(
    /** The newest first. */
    val sessions: List<Session>,
)

/** `mirrord/session/get`. */
data class SessionGetParams(
    /** The session. */
    val sessionId: String,
)

/** `mirrord/session/stop`; answered when all is cleaned up. */
data class SessionStopParams(
    /** The session. */
    val sessionId: String,
    /** How long its programs may take to end by themselves. */
    val graceMs: Long? = null,
    /** End its programs too; true when absent. A program cannot go on without its session. */
    val killDebuggee: Boolean? = null,
)

/** How a session ended. */
data class SessionStopResult(
    /** The reason that its last event gives. */
    val reason: String,
)

/** `mirrord/session/restart`: the same launch again, with the configuration read again. */
data class RestartParams(
    /** The session. */
    val sessionId: String,
    /** Progress is told under this token. */
    val workDoneToken: String? = null,
)

/** `mirrord/session/subscribe`: events follow as `mirrord/session/event`. */
data class SubscribeParams(
    /** The session. */
    val sessionId: String,
    /**
     * Also every decision "local", as long as the subscription lasts. It makes the program's local calls as slow as remote
     * ones, so it is for looking closely.
     */
    val local: Boolean? = null,
    /**
     * The first event that is wanted: one more than the last that the client has, 0 for all. Those that are kept come first.
     * Without it only new ones come.
     */
    val sinceSeq: Long? = null,
)

/** A subscription, which lasts until `mirrord/session/unsubscribe`, the session's end, or the connection's. */
data class SubscribeResult(
    /** The session as it is now. */
    val session: Session,
)

/** `mirrord/session/event`. */
data class SessionEvent(
    /** The session. */
    val sessionId: String,
    /** Counts up by one; a gap means events were dropped (see [`EventKind::Dropped`]). */
    val seq: Long,
    /** RFC 3339, UTC, with milliseconds. */
    val ts: String,
    /**
     * What happened: `session`, `process`, `file`, `outgoing`, `name`, `listen`, `incoming`, `pod`, `notice`, `dropped`. The
     * other members belong to the kinds that they name.
     */
    val kind: String,
    /** Why, in words. (`session`) */
    val reason: String? = null,
    /** `preparing`, `ready`, `running`, `reconnecting`, `draining`, `ended`. (`session`) */
    val state: String? = null,
    /** Executable, when known. (`process`) */
    val exe: String? = null,
    /** Its pid on this machine. (`process`) */
    val pid: Int? = null,
    /** System call name. (`file`) */
    val call: String? = null,
    /** Path after normalising. (`file`) */
    val path: String? = null,
    /** Where it went. (`file`) */
    val place: String? = null,
    /** The rule: `fs.local ^/usr(/|$)`, `fs.mode read`, … (`file`) */
    val rule: String? = null,
    /** The call changes the file or its folder, or opens it for writing. (`file`) */
    val writes: Boolean? = null,
    /** errno when the pod refused it. (`outgoing`) */
    val errno: Int? = null,
    /** `tcp`, `udp` or `unix`. (`outgoing`) */
    val protocol: String? = null,
    /** Destination as the program gave it. (`outgoing`) */
    val to: String? = null,
    /** As it was asked for. (`name`) */
    val name: String? = null,
    /** How the agent does it, or why it could not. (`listen`) */
    val detail: String? = null,
    /** `steal`, `mirror`, or `off`. (`listen`) */
    val mode: String? = null,
    /** Port the program asked for. (`listen`) */
    val port: Int? = null,
    /** The real client. (`incoming`) */
    val client: String? = null,
    /** The pod that it came through, where the target is in a cluster. (`incoming`) */
    val pod: String? = null,
    /** `info`, `warn` or `error`. (`notice`) */
    val level: String? = null,
    /** One sentence, with the next step when there is one. (`notice`) */
    val text: String? = null,
    /** How many. (`dropped`) */
    val count: Long? = null,
)

/** `mirrord/session/rule`: one rule of a running session. */
data class RuleParams(
    /** The session. */
    val sessionId: String,
    /** What the rule is about. */
    val subject: String,
    /** The path (this very one and all below), the host, or the port. */
    val value: String,
    /** What is to happen. */
    val action: String,
)

/** The rule is in force. */
data class RuleResult(
    /** The rule as events will name it. */
    val rule: String,
    /** The configuration key that would keep it. */
    val key: List<String>,
    /** Its value. */
    val value: JsonElement,
    /** Puts it into the session's configuration file, if it has one. */
    val edit: WorkspaceEdit? = null,
)

/** `mirrord/session/logs`. */
data class LogsParams(
    /** The session. */
    val sessionId: String,
    /** At most so many lines, the last ones; 1,000 when absent. */
    val limit: Int? = null,
    /** Only this one's; all when absent. */
    val source: String? = null,
)

/** Log lines, the oldest first. */
data class LogsResult(
    /** The lines. */
    val lines: List<LogLine>,
)

/** One line. */
data class LogLine(
    /** Whose. */
    val source: String,
    /** What it says. */
    val text: String,
)

/** `mirrord/session/proveIncoming`: real requests through the target. */
data class ProveIncomingParams(
    /** The session. */
    val sessionId: String,
    /** The user agreed that requests are sent. Without it nothing is sent, and the request fails. */
    val confirmed: Boolean? = null,
    /** Only this port; all the session's when absent. */
    val port: Int? = null,
)

/** Who answered. */
data class ProveIncomingResult(
    /** One for each request. */
    val requests: List<ProvenRequest>,
    /** What could not be proven, and why; for the user. */
    val note: String? = null,
)

/** One request and who answered it. */
data class ProvenRequest(
    /** The port in the pod. */
    val port: Int,
    /** It was made to match the session's filter (always true without a filter). */
    val matching: Boolean,
    /** Who answered. */
    val answeredBy: String,
    /** What was sent and what came back, one sentence. */
    val detail: String,
)
