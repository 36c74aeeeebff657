// The table of the protocol's methods, with the types of what is said. Held against `schemas/` by a test.

package io.github.mirrordserver.core.protocol

const val PROTOCOL_VERSION = 1

/** A request: [params] are the type of what is sent, [result] the type of the answer. */
class Method<P : Any, R : Any>(val name: String, val params: Class<P>, val result: Class<R>)

/** A notification of the server. */
class Notification<P : Any>(val name: String, val params: Class<P>)

/** What a client asks. */
object Requests {
    /** This user's agents, warm ones included. */
    val agentList = Method("mirrord/agent/list", Empty::class.java, AgentListResult::class.java)

    /** How a session's agent is. */
    val agentStatus = Method("mirrord/agent/status", AgentStatusParams::class.java, AgentStatus::class.java)

    /** Ends a warm agent. */
    val agentStop = Method("mirrord/agent/stop", AgentStopParams::class.java, Empty::class.java)

    /** A new configuration from a template, as an edit that the client makes. */
    val configCreate = Method("mirrord/config/create", CreateParams::class.java, CreateResult::class.java)

    /** The least configuration that a session's events needed, as an edit. */
    val configFromSession = Method("mirrord/config/fromSession", FromSessionParams::class.java, FromSessionResult::class.java)

    /** The workspace's configuration files. */
    val configList = Method("mirrord/config/list", ConfigListParams::class.java, ConfigListResult::class.java)

    /** Which file wins for a launch and why, and each effective value with its origin. */
    val configResolve = Method("mirrord/config/resolve", ResolveParams::class.java, ResolveResult::class.java)

    /** Remembers the active file of a workspace. */
    val configSetActive = Method("mirrord/config/setActive", ActiveFile::class.java, Empty::class.java)

    /** Another target for a configuration, as an edit that the client makes. */
    val configSetTarget = Method("mirrord/config/setTarget", SetTargetParams::class.java, SetTargetResult::class.java)

    /** What is wrong with a file or a text. */
    val configVerify = Method("mirrord/config/verify", VerifyParams::class.java, VerifyResult::class.java)

    /** A debuggee pauses or goes on; drives the breakpoint guard. */
    val debugState = Method("mirrord/debug/state", DebugStateParams::class.java, Empty::class.java)

    /** What works here, as a stream of checks. */
    val doctor = Method("mirrord/doctor", DoctorParams::class.java, DoctorResult::class.java)

    /** Local or remote, and the rule, without a run. */
    val explain = Method("mirrord/explain", ExplainParams::class.java, ExplainResult::class.java)

    /** The contexts of the client's kubeconfig. */
    val kubeContexts = Method("mirrord/kube/contexts", Empty::class.java, ContextsResult::class.java)

    /** The namespaces of a cluster. */
    val kubeNamespaces = Method("mirrord/kube/namespaces", NamespacesParams::class.java, NamespacesResult::class.java)

    /** The editor never launched: the session is undone. */
    val launchAbort = Method("mirrord/launch/abort", SessionParams::class.java, Empty::class.java)

    /** The debuggee runs; its pid and its debugger's exact port. */
    val launchBind = Method("mirrord/launch/bind", BindParams::class.java, Empty::class.java)

    /** A build still runs before the launch: the session waits longer. */
    val launchKeep = Method("mirrord/launch/keep", SessionParams::class.java, KeepResult::class.java)

    /** The core: makes a session for a launch, and says what the editor changes in that launch. */
    val launchPrepare = Method("mirrord/launch/prepare", PrepareParams::class.java, PrepareResult::class.java)

    /** Silence a kind of message, or hear it again. */
    val notifyMute = Method("mirrord/notify/mute", MuteParams::class.java, Empty::class.java)

    /** The least role as YAML for the modes asked for. */
    val rbac = Method("mirrord/rbac", RbacParams::class.java, RbacResult::class.java)

    /** One session. */
    val sessionGet = Method("mirrord/session/get", SessionGetParams::class.java, Session::class.java)

    /** This user's sessions, whoever began them. */
    val sessionList = Method("mirrord/session/list", SessionListParams::class.java, SessionListResult::class.java)

    /** Logs of a session: its own, the agent's, the layer's. */
    val sessionLogs = Method("mirrord/session/logs", LogsParams::class.java, LogsResult::class.java)

    /** After confirmation: one matching and one unmatched request through the target, and who answered. */
    val sessionProveIncoming = Method("mirrord/session/proveIncoming", ProveIncomingParams::class.java, ProveIncomingResult::class.java)

    /** The same launch again, with its configuration resolved again. */
    val sessionRestart = Method("mirrord/session/restart", RestartParams::class.java, PrepareResult::class.java)

    /** Changes one rule of a running session, and returns the edit that would keep it. */
    val sessionRule = Method("mirrord/session/rule", RuleParams::class.java, RuleResult::class.java)

    /** Ends a session; answered after clean-up. */
    val sessionStop = Method("mirrord/session/stop", SessionStopParams::class.java, SessionStopResult::class.java)

    /** Events of a session follow. */
    val sessionSubscribe = Method("mirrord/session/subscribe", SubscribeParams::class.java, SubscribeResult::class.java)

    /** No more events of a session. */
    val sessionUnsubscribe = Method("mirrord/session/unsubscribe", SessionGetParams::class.java, Empty::class.java)

    /** Containers, names of variables, probes, ports, replicas, and sessions of one target. */
    val targetsDescribe = Method("mirrord/targets/describe", DescribeParams::class.java, DescribeResult::class.java)

    /** What a program can be run in, local targets included; streams and can be searched. */
    val targetsList = Method("mirrord/targets/list", TargetListParams::class.java, TargetListResult::class.java)

    /** Ends a watch. */
    val targetsUnwatch = Method("mirrord/targets/unwatch", UnwatchParams::class.java, Empty::class.java)

    /** As the list, and changes of it follow. */
    val targetsWatch = Method("mirrord/targets/watch", WatchParams::class.java, WatchResult::class.java)

    val all: List<Method<*, *>> = listOf(
        agentList,
        agentStatus,
        agentStop,
        configCreate,
        configFromSession,
        configList,
        configResolve,
        configSetActive,
        configSetTarget,
        configVerify,
        debugState,
        doctor,
        explain,
        kubeContexts,
        kubeNamespaces,
        launchAbort,
        launchBind,
        launchKeep,
        launchPrepare,
        notifyMute,
        rbac,
        sessionGet,
        sessionList,
        sessionLogs,
        sessionProveIncoming,
        sessionRestart,
        sessionRule,
        sessionStop,
        sessionSubscribe,
        sessionUnsubscribe,
        targetsDescribe,
        targetsList,
        targetsUnwatch,
        targetsWatch,
    )
}

/** What the server asks. */
object ServerRequests {
    /** Asks the user for a target while a `prepare` with `interactive` is under way. */
    val uiPickTarget = Method("mirrord/ui/pickTarget", PickTargetParams::class.java, PickTargetResult::class.java)

    val all: List<Method<*, *>> = listOf(
        uiPickTarget,
    )
}

/** What the server tells. */
object Notifications {
    /** The active file of a workspace changed, by any client. */
    val configActiveChanged = Notification("mirrord/config/activeChanged", ActiveFile::class.java)

    /** Something the user should know. */
    val notify = Notification("mirrord/notify", NotifyParams::class.java)

    /** A session began, ended or changed its state; for clients with a view of sessions. */
    val sessionChanged = Notification("mirrord/session/changed", SessionChanged::class.java)

    /** Something happened in a session that this client subscribed to. */
    val sessionEvent = Notification("mirrord/session/event", SessionEvent::class.java)

    /** Feeds the one status item; sent when it changes and after `initialized`. */
    val status = Notification("mirrord/status", Status::class.java)

    /** What changed in a watched list. */
    val targetsChanged = Notification("mirrord/targets/changed", TargetChanged::class.java)

    val all: List<Notification<*>> = listOf(
        configActiveChanged,
        notify,
        sessionChanged,
        sessionEvent,
        status,
        targetsChanged,
    )
}
