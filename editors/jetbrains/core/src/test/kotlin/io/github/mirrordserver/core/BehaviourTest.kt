// The table that every editor keeps to.

package io.github.mirrordserver.core

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import io.github.mirrordserver.core.configs.expandProjectPath
import io.github.mirrordserver.core.configs.namedByDefault
import io.github.mirrordserver.core.launch.Switches
import io.github.mirrordserver.core.launch.asksServer
import io.github.mirrordserver.core.launch.outcomeOf
import io.github.mirrordserver.core.protocol.PrepareResult
import io.github.mirrordserver.core.server.Failure
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory

class BehaviourTest {
    private val table = Repository.json("editors/behaviour.json")
    private val folder = Path.of("/w")

    private fun rows(name: String) = table.getAsJsonArray(name).map { it.asJsonObject }.also { assert(it.isNotEmpty()) }

    private fun JsonObject.text(name: String): String? = get(name)?.orNull()?.asString

    private fun JsonElement.orNull() = takeUnless { it.isJsonNull }

    @TestFactory
    fun active(): List<DynamicTest> = rows("active").map { row ->
        dynamicTest(row.text("when")) {
            val switches = Switches(
                row["toggle"].orNull()?.asBoolean,
                row["enabledByDefault"].asBoolean,
                row["forced"]?.asBoolean ?: false,
            )
            val env = row.getAsJsonObject("env").entrySet().associate { (name, value) -> name to value.orNull()?.asString }
            assertEquals(row["asks"].asBoolean, asksServer(switches, env))
        }
    }

    // The rows of `env` are shapes of launch.json: a run configuration's variables are a map and nothing else.

    @TestFactory
    fun config(): List<DynamicTest> = rows("config").map { row ->
        dynamicTest(row.text("when")) {
            val named = namedByDefault(row.text("source")!!, row.text("defaultConfig")!!, folder)
            assertEquals(row.text("sends"), named?.toString())
        }
    }

    @TestFactory
    fun decision(): List<DynamicTest> = rows("decision").map { row ->
        val decision = row.text("decision")
        dynamicTest(decision ?: row.text("failure")) {
            val outcome = when (decision) {
                null -> outcomeOf(Failure(row.text("failure")!!, "no"))
                else -> outcomeOf(PrepareResult(decision, "because"))
            }
            assertEquals(row.text("launch"), outcome.word)
        }
    }

    @Test
    fun `the question is asked in the table's words`() {
        val question = table.getAsJsonObject("question")
        assertEquals(question.text("title"), Behaviour.question.title)
        assertEquals(question.text("run"), Behaviour.question.run)
        assertEquals(question.text("cancel"), Behaviour.question.cancel)
    }

    @Test
    fun `files may be named from the project's folder on`() {
        assertEquals(Path.of("/w/a.json"), namedByDefault("none", "\$ProjectPath\$/a.json", folder))
        assertEquals(Path.of("/w/a.json"), namedByDefault("none", "a.json", folder))
        val env = mapOf("MIRRORD_CONFIG_FILE" to "\$ProjectPath\$/b.json", "A" to null)
        assertEquals(mapOf("MIRRORD_CONFIG_FILE" to "/w/b.json", "A" to null), expandProjectPath(env, folder))
        assertEquals(env, expandProjectPath(env, null))
    }
}
