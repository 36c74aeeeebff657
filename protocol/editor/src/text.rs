//! Places in texts and edits, as LSP has them (lines and UTF-16 columns, both from 0).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    /// Line, from 0.
    pub line: u32,
    /// UTF-16 code units from the line's start.
    pub character: u32,
}

/// From a place up to another, which is not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// Its first place.
    pub start: Position,
    /// The place behind it.
    pub end: Position,
}

/// A replacement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TextEdit {
    /// What is replaced; empty to insert.
    pub range: Range,
    /// The new text.
    pub new_text: String,
}

/// LSP's `WorkspaceEdit`, as far as it is used here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceEdit {
    /// To be carried out in this order.
    pub document_changes: Vec<DocumentChange>,
}

impl WorkspaceEdit {
    /// Changes of one text that is there; `version`: of the open text that they were made for.
    pub fn of_text(uri: String, version: Option<i32>, edits: Vec<TextEdit>) -> Self {
        WorkspaceEdit {
            document_changes: vec![change(uri, version, edits)],
        }
    }

    /// A new file with this text.
    pub fn of_new_file(uri: String, new_text: String) -> Self {
        let create = DocumentChange::Create(CreateFile {
            kind: CreateKind::Create,
            uri: uri.clone(),
            options: None,
        });
        let range = Range::default();
        let text = change(uri, None, vec![TextEdit { range, new_text }]);
        WorkspaceEdit {
            document_changes: vec![create, text],
        }
    }
}

fn change(uri: String, version: Option<i32>, edits: Vec<TextEdit>) -> DocumentChange {
    let text_document = VersionedDocument { uri, version };
    DocumentChange::Edit(TextDocumentEdit {
        text_document,
        edits,
    })
}

/// One step of a [`WorkspaceEdit`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DocumentChange {
    /// Make a file.
    Create(CreateFile),
    /// Change a text.
    Edit(TextDocumentEdit),
}

/// Make a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateFile {
    /// Always `create`.
    pub kind: CreateKind,
    /// The file.
    pub uri: String,
    /// What to do when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<CreateFileOptions>,
}

/// The word `create`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum CreateKind {
    /// Make a file.
    Create,
}

/// What to do when the file is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreateFileOptions {
    /// Leave it as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ignore_if_exists: Option<bool>,
    /// Replace it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overwrite: Option<bool>,
}

/// Changes of one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TextDocumentEdit {
    /// Which text.
    pub text_document: VersionedDocument,
    /// What changes in it.
    pub edits: Vec<TextEdit>,
}

/// A text and its version in the editor; null for the one on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionedDocument {
    /// The file.
    pub uri: String,
    /// Its version, null when it is not open.
    #[serde(default)]
    pub version: Option<i32>,
}
