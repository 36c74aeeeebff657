//! The texts that a client has open, kept up to date with its every keystroke.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use mirrord_config::Format;
use mirrord_language::{Document, Encoding};
use tower_lsp::ls_types::{
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams, Uri,
};

use super::uri;

/// Open texts by their URIs in their one form.
#[derive(Default)]
pub struct Documents {
    open: Mutex<HashMap<String, Open>>,
}

struct Open {
    version: i32,
    document: Document,
}

impl Documents {
    /// A text was opened.
    pub fn open(&self, params: DidOpenTextDocumentParams) {
        let text = params.text_document;
        let name = uri::normal(text.uri.as_str());
        let path =
            uri::to_path(text.uri.as_str()).unwrap_or_else(|| text.uri.as_str().to_owned().into());
        let format = match text.language_id.as_str() {
            "yaml" => Format::Yaml,
            "toml" => Format::Toml,
            _ => Format::of(&path).unwrap_or(Format::Json),
        };
        let document = Document::new(text.uri, path, format, Encoding::Utf16, text.text);
        let version = text.version;
        self.lock().insert(name, Open { version, document });
    }

    /// A text was changed. False: it is not open.
    pub fn change(&self, params: DidChangeTextDocumentParams) -> bool {
        let name = uri::normal(params.text_document.uri.as_str());
        match self.lock().get_mut(&name) {
            Some(open) => {
                open.version = params.text_document.version;
                open.document.apply(params.content_changes);
                true
            }
            None => false,
        }
    }

    /// A text was closed.
    pub fn close(&self, params: &DidCloseTextDocumentParams) {
        self.lock()
            .remove(&uri::normal(params.text_document.uri.as_str()));
    }

    /// Those that are open.
    pub fn uris(&self) -> Vec<Uri> {
        let open = self.lock();
        open.values()
            .map(|open| open.document.uri().clone())
            .collect()
    }

    /// Looks into an open text, which has this version.
    pub fn with<T>(&self, uri: &Uri, look: impl FnOnce(&Document, i32) -> T) -> Option<T> {
        self.with_name(uri.as_str(), look)
    }

    /// As [`Documents::with`], by any spelling of the URI.
    pub fn with_name<T>(&self, uri: &str, look: impl FnOnce(&Document, i32) -> T) -> Option<T> {
        let open = self.lock();
        let open = open.get(&uri::normal(uri))?;
        Some(look(&open.document, open.version))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.open
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}
