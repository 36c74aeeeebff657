// `mirrord/targets/*`, `mirrord/kube/*`, `mirrord/rbac`, and the question for a target. Held against `schemas/` by a test.

package io.github.mirrordserver.core.protocol

/** One target. */
data class TargetRow(
    /** As configurations and `--target` take it: `sandbox/default`. */
    val path: String,
    /** `sandbox`, `process`, `container`, `pod`, … */
    val kind: String,
    /** Name for people. */
    val name: String,
    /** A program can be run in it now. */
    val ready: Boolean,
    /** Its containers. */
    val containers: List<String> = emptyList(),
    /** When this user last ran a program in it. */
    val lastUsed: String? = null,
    /** Its namespace. */
    val namespace: String? = null,
    /** Its pods, where it says how many. */
    val pods: Pods? = null,
    /** Ports that something listens on, as far as known. */
    val ports: List<Int> = emptyList(),
    /** Why not. */
    val reason: String? = null,
)

/** How many pods a target has. */
data class Pods(
    /** Pods that get traffic. */
    val ready: Int,
    /** Pods that there shall be. */
    val wanted: Int,
)

/** `mirrord/targets/list`. */
data class TargetListParams(
    /** The cluster context; the current one when absent. */
    val context: String? = null,
    /** A label selector, for targets that have labels. */
    val labelSelector: String? = null,
    /** At most so many rows; 1,000 when absent. */
    val limit: Int? = null,
    /** The namespace; the context's when absent. */
    val namespace: String? = null,
    /** Rows come as partial results. */
    val partialResultToken: String? = null,
    /** Only targets whose path or name contains this, in any case. */
    val query: String? = null,
    /** Only these kinds: `sandbox`, `process`, `container`, `pod`, `deployment`, … */
    val types: List<String>? = null,
    /** Progress is told under this token. */
    val workDoneToken: String? = null,
)

/** The targets. */
data class TargetListResult(
    /** Last used ones first, then by path. */
    val targets: List<TargetRow>,
    /** What could not be listed, and why. */
    val problems: List<ListProblem> = emptyList(),
    /** There are more than `limit`. */
    val truncated: Boolean? = null,
)

/** A part of a list that could not be had. */
data class ListProblem(
    /** Which part: a kind, a namespace, a provider. */
    val scope: String,
    /** Why. */
    val message: String,
)

/** `mirrord/targets/watch`. */
data class WatchParams(
    /** As for the list. */
    val context: String? = null,
    /** As for the list. */
    val labelSelector: String? = null,
    /** As for the list. */
    val namespace: String? = null,
    /** As for the list. */
    val query: String? = null,
    /** As for the list. */
    val types: List<String>? = null,
)

/** A watch that runs until `mirrord/targets/unwatch`, or the connection's end. */
data class WatchResult(
    /** Its id. */
    val watchId: String,
    /** The targets of this machine now; those of a cluster, and all changes, follow. */
    val targets: List<TargetRow>,
)

/** `mirrord/targets/unwatch`. */
data class UnwatchParams(
    /** The watch. */
    val watchId: String,
)

/** `mirrord/targets/changed`. */
data class TargetChanged(
    /** The watch. */
    val watchId: String,
    /** New rows and rows that are different now. */
    val updated: List<TargetRow>,
    /** Paths of rows that are gone. */
    val removed: List<String>,
    /** What cannot be followed, and why. */
    val problems: List<ListProblem> = emptyList(),
)

/** `mirrord/targets/describe`. */
data class DescribeParams(
    /** The target. */
    val path: String,
    /** The cluster context. */
    val context: String? = null,
    /** The namespace. */
    val namespace: String? = null,
)

/** What a target is. */
data class DescribeResult(
    /** Its row. */
    val target: TargetRow,
    /** Its containers. */
    val containers: List<Container>,
    /** Sessions of this user on it. */
    val sessions: List<String>,
    /** How many pods are behind it. */
    val replicas: Int? = null,
)

/** A container of a target. */
data class Container(
    /** Its name. */
    val name: String,
    /** Ports that something listens on. */
    val ports: List<Int>,
    /** Names of its environment variables; never the values. */
    val envNames: List<String>,
    /** Its health probes. */
    val probes: List<Probe>,
    /** Its image. */
    val image: String? = null,
)

/** A health probe. */
data class Probe(
    /** `liveness`, `readiness` or `startup`. */
    val kind: String,
    /** The path it asks for. */
    val path: String? = null,
    /** The port it asks. */
    val port: Int? = null,
)

/** `mirrord/ui/pickTarget`, only while a `mirrord/launch/prepare` with `interactive` is under way. */
data class PickTargetParams(
    /** What it is for. */
    val title: String,
    /** Targets that are known already; `mirrord/targets/list` and `watch` give more. */
    val targets: List<TargetRow>,
    /** The folder (URI). */
    val workspace: String? = null,
)

/** What the user picked. */
data class PickTargetResult(
    /** The cluster context that it is in; the configuration's own when absent. */
    val context: String? = null,
    /** The namespace that it is in; the configuration's own when absent. */
    val namespace: String? = null,
    /** The target; none when the user escaped, which cancels the launch. */
    val path: String? = null,
)

/** A context. */
data class Context(
    /** Its name. */
    val name: String,
    /** It is kubectl's current one. */
    val current: Boolean,
    /** Its cluster. */
    val cluster: String? = null,
    /** Its default namespace. */
    val namespace: String? = null,
)

/** The contexts of the client's kubeconfig. */
data class ContextsResult(
    /** The contexts. */
    val contexts: List<Context>,
    /** Why there are not more. */
    val reason: String? = null,
)

/** `mirrord/kube/namespaces`. */
data class NamespacesParams(
    /** The current context when absent. */
    val context: String? = null,
    /** Only names that contain this. */
    val query: String? = null,
)

/** Namespaces of a cluster. */
data class NamespacesResult(
    /** Their names. */
    val namespaces: List<String>,
    /** Why there are not more. */
    val reason: String? = null,
)

/** `mirrord/rbac`. */
data class RbacParams(
    /**
     * What shall be possible: how agents may be started (`job`, `ephemeral`, `restricted`, `targetless`; none: all of them),
     * `replicas` (sessions over every pod of a workload), and features (`steal`, `mirror`, `files`, …), which take no rights
     * of their own.
     */
    val modes: List<String> = emptyList(),
    /** One namespace; else a cluster role. */
    val namespace: String? = null,
)

/** The least role. */
data class RbacResult(
    /** As YAML. */
    val yaml: String,
)
