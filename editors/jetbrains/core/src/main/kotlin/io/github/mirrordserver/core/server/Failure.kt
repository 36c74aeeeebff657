// What went wrong, for the user: the server's own words where it has some.

package io.github.mirrordserver.core.server

import com.google.gson.Gson
import com.google.gson.JsonElement
import com.google.gson.JsonParseException
import io.github.mirrordserver.core.protocol.ErrorData
import io.github.mirrordserver.core.protocol.ErrorKinds
import java.util.concurrent.CompletionException
import kotlinx.coroutines.CancellationException
import org.eclipse.lsp4j.jsonrpc.ResponseErrorException
import org.eclipse.lsp4j.jsonrpc.messages.ResponseErrorCode

/** One failure. [kind] is a word of the protocol or [DISCONNECTED]; [help] says what to do next. */
data class Failure(
    val kind: String,
    val message: String,
    val help: String? = null,
    val causes: List<String> = emptyList(),
    val diagnosticsUri: String? = null,
    val retryable: Boolean = false,
) {
    val isCancelled: Boolean get() = kind == ErrorKinds.CANCELLED

    /** What to do next and what caused it, one line each. */
    val detail: String
        get() = (listOfNotNull(help?.replaceFirstChar(Char::uppercaseChar)) + causes.map { "• $it" }).joinToString("\n")

    companion object {
        /** The connection broke before the answer came. */
        const val DISCONNECTED = "disconnected"

        /** Of anything that was thrown. */
        fun of(error: Throwable, gson: Gson): Failure =
            when (error) {
                is ServerException -> error.failure
                is CompletionException -> of(error.cause ?: RuntimeException(error.message), gson)
                is CancellationException -> cancelled
                is ResponseErrorException -> ofAnswer(error, gson)
                else -> Failure(ErrorKinds.INTERNAL, error.message ?: error.toString())
            }

        private val cancelled = Failure(ErrorKinds.CANCELLED, "cancelled")

        private fun ofAnswer(error: ResponseErrorException, gson: Gson): Failure {
            val answer = error.responseError
            if (answer.code == ResponseErrorCode.RequestCancelled.value) return cancelled
            val data = dataOf(answer.data as? JsonElement, gson)
                ?: return Failure(ErrorKinds.INTERNAL, answer.message)
            return Failure(data.kind, data.message, data.help, data.causes, data.diagnosticsUri, data.retryable == true)
        }

        /** None where somebody else answered: a JSON-RPC error need not have any. */
        private fun dataOf(data: JsonElement?, gson: Gson): ErrorData? =
            try {
                data?.let { gson.fromJson(it, ErrorData::class.java) }
            } catch (_: JsonParseException) {
                null
            }
    }
}

/** Thrown by everything that asks the server. */
class ServerException(val failure: Failure, cause: Throwable? = null) : Exception(failure.message, cause)

/** What to show of anything that was thrown. */
val Throwable.failure: Failure get() = (this as? ServerException)?.failure ?: Failure.of(this, Gson())
