// The texts that every editor shows alike: `editors/behaviour.json`, which is packed into the plugin.

package io.github.mirrordserver.core

import com.google.gson.JsonObject
import com.google.gson.JsonParser

object Behaviour {
    /** The whole table. */
    val table: JsonObject by lazy {
        val resource = checkNotNull(Behaviour::class.java.getResourceAsStream("behaviour.json")) { "behaviour.json is not in the plugin" }
        resource.reader().use { JsonParser.parseReader(it).asJsonObject }
    }

    /** The question when a launch could not be prepared. */
    val question: Words by lazy {
        val words = table.getAsJsonObject("question")
        Words(words["title"].asString, words["run"].asString, words["cancel"].asString)
    }

    data class Words(val title: String, val run: String, val cancel: String)
}
