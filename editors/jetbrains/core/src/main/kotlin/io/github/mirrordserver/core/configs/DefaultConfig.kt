// The project's default configuration file (a setting), which counts when nothing else names one.

package io.github.mirrordserver.core.configs

import java.nio.file.Path

/** In settings and in `MIRRORD_CONFIG_FILE`: the project's folder. */
private const val PROJECT_PATH = "\$ProjectPath\$"
private const val MIRRORD_CONFIG_FILE = "MIRRORD_CONFIG_FILE"

/** Sources (`ConfigChoice.source`) that leave the setting its word. */
private val NOTHING_NAMED = setOf("default", "none")

/** The file to name in the launch; null when the server's own choice stands. */
fun namedByDefault(source: String, setting: String, folder: Path): Path? =
    if (setting == "" || source !in NOTHING_NAMED) null else folder.resolve(setting.replace(PROJECT_PATH, folder.toString()))

/** Variables as the server understands them: it knows no macros of the IDE. */
fun expandProjectPath(env: Map<String, String?>, folder: Path?): Map<String, String?> {
    val named = env[MIRRORD_CONFIG_FILE]
    return if (named == null || folder == null) env else env + (MIRRORD_CONFIG_FILE to named.replace(PROJECT_PATH, folder.toString()))
}
