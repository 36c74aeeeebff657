// Messages as Kotlin has them: Gson alone would make objects without their constructors, so that members
// which are not sent were null where the type says that they never are.

package io.github.mirrordserver.core.protocol

import com.google.gson.Gson
import com.google.gson.JsonParseException
import com.google.gson.TypeAdapter
import com.google.gson.TypeAdapterFactory
import com.google.gson.reflect.TypeToken
import com.google.gson.stream.JsonReader
import com.google.gson.stream.JsonToken
import com.google.gson.stream.JsonWriter
import java.lang.reflect.Constructor
import java.lang.reflect.InvocationTargetException

/** For all types of this package. What is missing gets its default, or is told by its name. */
object MessageAdapterFactory : TypeAdapterFactory {
    override fun <T> create(gson: Gson, type: TypeToken<T>): TypeAdapter<T>? {
        val raw = type.rawType
        if (raw.packageName != javaClass.packageName) return null
        val constructor = raw.constructors.maxByOrNull { it.parameterCount }
        // A message without members.
        if (constructor == null || constructor.parameterCount == 0) return null
        @Suppress("UNCHECKED_CAST")
        return MessageAdapter(gson, raw as Class<Any>) as TypeAdapter<T>
    }
}

private class MessageAdapter(gson: Gson, private val type: Class<Any>) : TypeAdapter<Any>() {
    private val primary = type.constructors.first { !it.isSynthetic && it.parameterCount > 0 }
    private val members = primary.parameters.mapIndexed { index, parameter ->
        @Suppress("UNCHECKED_CAST")
        val adapter = gson.getAdapter(TypeToken.get(primary.genericParameterTypes[index])) as TypeAdapter<Any?>
        Member(parameter.name, adapter, parameter.type)
    }
    private val byName = members.withIndex().associate { (index, member) -> member.name to index }
    private val getters = members.map { type.getDeclaredField(it.name).apply { isAccessible = true } }

    /** With a bit for each member that gets its default; none where no member has one. */
    private val withDefaults: Constructor<*>? =
        type.declaredConstructors.firstOrNull { it.isSynthetic && it.parameterCount > members.size }

    private class Member(val name: String, val adapter: TypeAdapter<Any?>, val type: Class<*>)

    override fun write(out: JsonWriter, value: Any?) {
        if (value == null) {
            out.nullValue()
            return
        }
        out.beginObject()
        for ((index, member) in members.withIndex()) {
            val one = getters[index].get(value) ?: continue
            out.name(member.name)
            val before = out.serializeNulls
            // In an environment null takes a variable away.
            if (one is Map<*, *>) out.serializeNulls = true
            member.adapter.write(out, one)
            out.serializeNulls = before
        }
        out.endObject()
    }

    override fun read(reader: JsonReader): Any? {
        if (reader.peek() == JsonToken.NULL) {
            reader.nextNull()
            return null
        }
        val values = arrayOfNulls<Any?>(members.size)
        reader.beginObject()
        while (reader.hasNext()) {
            val index = byName[reader.nextName()]
            // Of a newer server.
            if (index == null) reader.skipValue() else values[index] = members[index].adapter.read(reader)
        }
        reader.endObject()
        return make(values)
    }

    private fun make(values: Array<Any?>): Any {
        val missing = members.indices.filter { values[it] == null }
        for (index in missing) {
            if (members[index].type.isPrimitive) throw incomplete(members[index].name)
        }
        val all = withDefaults ?: return call(primary, values)
        val masks = IntArray((members.size + 31) / 32)
        for (index in missing) masks[index / 32] = masks[index / 32] or (1 shl (index % 32))
        return call(all, arrayOf(*values, *masks.toTypedArray(), null))
    }

    private fun call(constructor: Constructor<*>, values: Array<Any?>): Any =
        try {
            constructor.newInstance(*values)
        } catch (error: InvocationTargetException) {
            // Kotlin's own check of what must not be null.
            val broken = error.targetException as? NullPointerException ?: throw error.targetException
            throw incomplete(broken.message?.substringAfterLast("parameter ") ?: "of its members")
        }

    private fun incomplete(name: String) = JsonParseException("a ${type.simpleName} came without $name")
}
