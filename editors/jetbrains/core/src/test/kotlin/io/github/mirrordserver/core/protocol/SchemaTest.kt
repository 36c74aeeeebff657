// The Kotlin types are what `schemas/mirrord-protocol.schema.json` says: every member, and whether it may be
// missing.

package io.github.mirrordserver.core.protocol

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import io.github.mirrordserver.core.Repository
import kotlin.reflect.KClass
import kotlin.reflect.KType
import kotlin.reflect.full.primaryConstructor
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory

class SchemaTest {
    private val schema = Repository.json("schemas/mirrord-protocol.schema.json")
    private val definitions = schema.getAsJsonObject("\$defs")
    private val methods = schema.getAsJsonObject("methods")

    private val told = Requests.all.map { it.name to "request clientToServer" } +
        ServerRequests.all.map { it.name to "request serverToClient" } +
        Notifications.all.map { it.name to "notification serverToClient" }

    @Test
    fun `every method is in the table, with its direction`() {
        val wanted = methods.entrySet().associate { (name, one) ->
            name to "${one.asJsonObject["kind"].asString} ${one.asJsonObject["direction"].asString}"
        }
        assertEquals(wanted.toSortedMap(), told.toMap().toSortedMap())
        assertEquals(told.size, told.toMap().size, "a method is in the table twice")
        assertEquals(schema["protocolVersion"].asInt, PROTOCOL_VERSION)
    }

    @TestFactory
    fun `every method has its types`(): List<DynamicTest> =
        (Requests.all + ServerRequests.all).map { one ->
            dynamicTest(one.name) {
                assertEquals(className(one.name, "params"), one.params.simpleName)
                assertEquals(className(one.name, "result"), one.result.simpleName)
            }
        } + Notifications.all.map { one ->
            dynamicTest(one.name) { assertEquals(className(one.name, "params"), one.params.simpleName) }
        }

    /** Messages without members are all one type here. */
    private fun className(method: String, part: String): String {
        val name = reference(methods.getAsJsonObject(method).getAsJsonObject(part))
        return if (membersOf(name).isEmpty()) "Empty" else name
    }

    private fun reference(one: JsonObject) = one["\$ref"].asString.substringAfterLast('/')

    @TestFactory
    fun `every type has the members of its definition`(): List<DynamicTest> =
        definitions.keySet().filter { isMessage(it) && it !in PARTS }.map { name ->
            dynamicTest(name) {
                val members = membersOf(name)
                if (members.isEmpty()) return@dynamicTest
                check(name, members, required(name))
            }
        } + dynamicTest("DocumentChange") {
            // Either of two, which have no member in common.
            check("DocumentChange", PARTS.map(::membersOf).reduce { a, b -> a + b }, emptySet())
        }

    private fun check(name: String, members: Map<String, JsonElement>, required: Set<String>) {
        val type = Class.forName("${SchemaTest::class.java.packageName}.$name").kotlin
        val parameters = checkNotNull(type.primaryConstructor).parameters.associateBy { it.name }
        assertEquals(members.keys.sorted(), parameters.keys.map { it!! }.sorted())
        for ((member, definition) in members) {
            val parameter = checkNotNull(parameters[member])
            assertEquals(member !in required, parameter.isOptional, "$name.$member may be missing")
            val numberOrFlag = parameter.type.classifier in setOf(Int::class, Long::class, Boolean::class)
            assertTrue(member in required || !numberOrFlag || parameter.type.isMarkedNullable, "$name.$member would be 0 or false when it is missing")
            assertEquals(expected(definition), described(parameter.type), "$name.$member")
        }
    }

    private fun isMessage(name: String): Boolean = definitions.getAsJsonObject(name).let { it["type"]?.asString == "object" || name == "SessionEvent" }

    private fun required(name: String): Set<String> {
        val own = definitions.getAsJsonObject(name)["required"]?.asJsonArray?.map { it.asString }?.toSet().orEmpty()
        return if (name == "SessionEvent") own + "kind" else own
    }

    /** Of all its variants, where it has some. */
    private fun membersOf(name: String): Map<String, JsonElement> {
        val definition = definitions.getAsJsonObject(name)
        val all = listOf(definition) + (definition["oneOf"]?.asJsonArray?.map { it.asJsonObject }.orEmpty())
        return all.flatMap { it["properties"]?.asJsonObject?.entrySet().orEmpty() }.associate { it.key to it.value }
    }

    /** The schema's type in the words of [described]; enums are open, so they are texts. */
    private fun expected(one: JsonElement): String {
        if (one !is JsonObject) return "any"
        one["anyOf"]?.let { choice -> return expected(choice.asJsonArray.first { it.asJsonObject["type"]?.asString != "null" }) }
        if (one.has("\$ref")) {
            val name = reference(one)
            val definition = definitions.getAsJsonObject(name)
            return when {
                name == "DocumentChange" || isMessage(name) -> name
                name == "PatchOperation" -> "any"
                // Our own tokens are texts.
                name == "ProgressToken" -> "string"
                else -> "string".also { assertTrue(definition.toString().contains("\"string\""), name) }
            }
        }
        val type = one["type"] ?: return "any"
        return when (val word = if (type.isJsonArray) type.asJsonArray.map { it }.first { it.asString != "null" }.asString else type.asString) {
            "array" -> "list of ${expected(one["items"])}"
            "object" -> "map to ${one["additionalProperties"]?.takeIf { it is JsonObject }?.let(::expected) ?: "any"}"
            else -> word
        }
    }

    private fun described(type: KType): String =
        when (val classifier = type.classifier as KClass<*>) {
            String::class -> "string"
            Boolean::class -> "boolean"
            Int::class, Long::class -> "integer"
            JsonElement::class -> "any"
            List::class -> "list of ${described(type.arguments[0].type!!)}"
            Map::class -> "map to ${described(type.arguments[1].type!!)}"
            else -> classifier.simpleName!!
        }

    private companion object {
        /** In [DocumentChange]. */
        val PARTS = listOf("CreateFile", "TextDocumentEdit")
    }
}
