// Launches of a build system that only build: there is nothing to run in a pod. What forks a program
// (`bootRun`, `test`, `spring-boot:run`) is none of them.

package io.github.mirrordserver.core.launch

/** In a run configuration's environment: it is no build, whatever it looks like. The switch must be on all the same. */
const val MIRRORD_FORCE_RUN = "MIRRORD_FORCE_RUN"

private val TRUE = setOf("1", "true", "TRUE", "True")

private val TASKS = setOf(
    // Gradle's and its usual plugins'.
    "assemble", "build", "classes", "testClasses", "clean", "dependencies", "tasks", "projects", "help", "init", "wrapper",
    "jar", "war", "bootJar", "bootWar", "shadowJar", "distZip", "distTar", "installDist", "javadoc", "publish", "publishToMavenLocal",
    // Maven's phases before its tests.
    "validate", "initialize", "compile", "process-resources", "process-classes", "generate-sources", "test-compile", "site",
)
private val PREFIXES = listOf("compile", "generate", "process", "dependency:", "help:", "versions:")

/** [tasks] of Gradle or goals of Maven, with or without their project (`:app:jar`); options are no tasks. */
fun onlyBuilds(tasks: List<String>, env: Map<String, String?>): Boolean {
    if (env[MIRRORD_FORCE_RUN] in TRUE) return false
    val named = tasks.filterNot { it.startsWith("-") }
    return named.isNotEmpty() && named.all { task ->
        // A Maven goal has its plug-in before the colon, a Gradle task its project.
        val name = if (task.startsWith(":")) task.substringAfterLast(':') else task
        name in TASKS || PREFIXES.any(name::startsWith)
    }
}
