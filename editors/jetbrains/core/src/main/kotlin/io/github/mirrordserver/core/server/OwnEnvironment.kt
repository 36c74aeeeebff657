// The environment that cluster access uses: the one in which the IDE runs, without what it puts there for
// itself.

package io.github.mirrordserver.core.server

private val IDES =
    Regex("^(__INTELLIJ_.*|JEDITERM_.*|IDEA_.*|TERMINAL_EMULATOR|LD_PRELOAD|MIRRORD_(SUPERVISOR|LAUNCH_TOKEN))$")

fun ownEnvironment(env: Map<String, String>): Map<String, String> = env.filterKeys { !IDES.matches(it) }
