package io.github.mirrordserver.core.protocol

import com.google.gson.GsonBuilder
import com.google.gson.JsonParseException
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class MessageAdapterTest {
    private val gson = GsonBuilder().registerTypeAdapterFactory(MessageAdapterFactory).create()

    private inline fun <reified T> read(json: String): T = gson.fromJson(json, T::class.java)

    @Test
    fun `what is not sent gets its default, also where the type is never null`() {
        val result = read<PrepareResult>("""{"decision": "skip", "reason": "off", "warnings": null, "newer": [1]}""")
        assertEquals(PrepareResult("skip", "off"), result)
        assertEquals(emptyMap<String, String>(), result.env.set)
    }

    @Test
    fun `what must be there is missed by its name`() {
        val text = assertThrows(JsonParseException::class.java) { read<PrepareResult>("""{"decision": "skip"}""") }
        assertEquals("a PrepareResult came without reason", text.message)
        val number = assertThrows(JsonParseException::class.java) { read<Process>("""{"exe": "/bin/sh"}""") }
        assertEquals("a Process came without pid", number.message)
        val plain = assertThrows(JsonParseException::class.java) { read<SessionChanged>("{}") }
        assertEquals("a SessionChanged came without session", plain.message)
    }

    @Test
    fun `a variable that is taken away is sent as null, and nothing else is`() {
        val sent = gson.toJson(Launch(name = "app", env = mapOf("GONE" to null, "A" to "1")))
        assertTrue(sent.contains(""""env":{"GONE":null,"A":"1"}"""), sent)
        assertEquals(1, Regex("null").findAll(sent).count(), sent)
    }
}
