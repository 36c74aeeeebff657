// `mirrord/agent/*`. Held against `schemas/` by a test.

package io.github.mirrordserver.core.protocol

/** An agent. */
data class Agent(
    /** Its id. */
    val agentId: String,
    /** Its target. */
    val target: String,
    /** What it does. */
    val phase: String,
    /** When it ends if no session wants it. */
    val expiresAt: String? = null,
    /** The pod that it serves, where it is in a cluster. */
    val pod: String? = null,
    /** The session it serves. */
    val sessionId: String? = null,
)

/** This user's agents. */
data class AgentListResult(
    /** The agents. */
    val agents: List<Agent>,
)

/** `mirrord/agent/status`. */
data class AgentStatusParams(
    /** The session. */
    val sessionId: String,
)

/** How an agent is. */
data class AgentStatus(
    /** What it does. */
    val phase: String,
    /**
     * All agents of the session, where they are in a cluster: this one first, then those of the other pods that it covers
     * (`agent.replicas`).
     */
    val agents: List<PodAgent> = emptyList(),
    /** Its image. */
    val image: String? = null,
    /** The machine it runs on. */
    val node: String? = null,
    /** How often it was started again. */
    val restarts: Int? = null,
    /** The link's last round trip in microseconds (a local one is far below a millisecond). */
    val roundTripUs: Long? = null,
    /** Its version. */
    val version: String? = null,
)

/** An agent of a session, in a pod of a cluster. */
data class PodAgent(
    /** The target's pod that it serves. */
    val pod: String,
    /** That pod's node. */
    val node: String,
    /** What it does. */
    val phase: String,
    /** Files, environment, names and outgoing connections are this pod's. */
    val primary: Boolean? = null,
    /** Why, in words. */
    val reason: String? = null,
    /** How often its link was lost and made again. */
    val restarts: Int? = null,
    /** The link's last round trip in microseconds, where it was asked for. */
    val roundTripUs: Long? = null,
)

/** `mirrord/agent/stop`: ends a warm agent. */
data class AgentStopParams(
    /** The agent. */
    val agentId: String,
)
