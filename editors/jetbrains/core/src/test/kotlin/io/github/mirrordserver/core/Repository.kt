// Where the tests find the files that all editors share.

package io.github.mirrordserver.core

import com.google.gson.JsonObject
import com.google.gson.JsonParser
import java.nio.file.Files
import java.nio.file.Path

object Repository {
    /** Maven runs tests in the module's folder. */
    val root: Path = Path.of("").toAbsolutePath().resolve("../../..").normalize()

    fun read(path: String): String = Files.readString(root.resolve(path))

    fun json(path: String): JsonObject = JsonParser.parseString(read(path)).asJsonObject
}
