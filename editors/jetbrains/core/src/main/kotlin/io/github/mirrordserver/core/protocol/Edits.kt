// LSP's edits, as far as they are used here. Held against `schemas/` by a test.

package io.github.mirrordserver.core.protocol

/** LSP's `WorkspaceEdit`, as far as it is used here. */
data class WorkspaceEdit(
    /** To be carried out in this order. */
    val documentChanges: List<DocumentChange>,
)

/** One step: a file is made (`kind` is `create`), or a text is changed (`textDocument` and `edits`). */
data class DocumentChange(
    /** Always `create`. */
    val kind: String? = null,
    /** What to do when it is there. */
    val options: CreateFileOptions? = null,
    /** The file. */
    val uri: String? = null,
    /** What changes in it. */
    val edits: List<TextEdit> = emptyList(),
    /** Which text. */
    val textDocument: VersionedDocument? = null,
)

/** A text and its version in the editor; null for the one on disk. */
data class VersionedDocument(
    /** The file. */
    val uri: String,
    /** Its version, null when it is not open. */
    val version: Int? = null,
)

/** What to do when the file is there. */
data class CreateFileOptions(
    /** Leave it as it is. */
    val ignoreIfExists: Boolean? = null,
    /** Replace it. */
    val overwrite: Boolean? = null,
)

/** A replacement. */
data class TextEdit(
    /** What is replaced; empty to insert. */
    val range: Range,
    /** The new text. */
    val newText: String,
)

/** From a place up to another, which is not in it. */
data class Range(
    /** Its first place. */
    val start: Position,
    /** The place behind it. */
    val end: Position,
)

/** A place. */
data class Position(
    /** Line, from 0. */
    val line: Int,
    /** UTF-16 code units from the line's start. */
    val character: Int,
)
