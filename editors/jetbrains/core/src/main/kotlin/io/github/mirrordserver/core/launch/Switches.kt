// Whether the server is asked about a launch at all. A launch that nobody wants in a target costs
// nothing: no process is started for it.

package io.github.mirrordserver.core.launch

/** In a run configuration's environment: beats the switch. */
const val MIRRORD_ACTIVE = "MIRRORD_ACTIVE"

data class Switches(
    /** The project's switch; null while nobody has used it. */
    val toggle: Boolean?,
    val enabledByDefault: Boolean,
    /** The launch was started with one of mirrord's actions. */
    val forced: Boolean = false,
) {
    /** The switch's value, as the server is told it. */
    val isOn: Boolean get() = forced || (toggle ?: enabledByDefault)
}

private val OFF = setOf("0", "false", "FALSE", "False", "")

/** Asks the server unless this is surely a plain launch. A word it does not know, it explains. */
fun asksServer(switches: Switches, env: Map<String, String?>): Boolean = env[MIRRORD_ACTIVE]?.let { it !in OFF } ?: switches.isOn
