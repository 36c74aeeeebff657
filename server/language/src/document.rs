//! An open file: its text as the editor last said it, and what was read from it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ls_types::{Position, Range, TextDocumentContentChangeEvent, Uri};
use mirrord_config::Format;

use crate::lines::{Encoding, Lines};
use crate::syntax::{self, Node, Span, Tree};

/// The keys that say which cluster is meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenCluster {
    /// `kubeconfig`
    pub kubeconfig: Option<String>,
    /// `kube_context`
    pub context: Option<String>,
    /// `target.namespace`
    pub namespace: Option<String>,
    /// `accept_invalid_certificates`
    pub accept_invalid_certificates: bool,
}

/// A configuration file that is open in an editor.
#[derive(Debug)]
pub struct Document {
    uri: Uri,
    path: PathBuf,
    format: Format,
    encoding: Encoding,
    text: String,
    lines: Lines,
    tree: OnceLock<Tree>,
}

impl Document {
    /// A file's text as the editor opened it. The path is for messages and for what lies beside it.
    pub fn new(uri: Uri, path: PathBuf, format: Format, encoding: Encoding, text: String) -> Self {
        let lines = Lines::new(&text, encoding);
        Document {
            uri,
            path,
            format,
            encoding,
            text,
            lines,
            tree: OnceLock::new(),
        }
    }

    /// Takes an editor's changes, one after the other: each is about the text that the one before
    /// left.
    pub fn apply(&mut self, changes: Vec<TextDocumentContentChangeEvent>) {
        for change in changes {
            match change.range {
                None => self.text = change.text,
                Some(range) => {
                    let span = self.span(range);
                    self.text.replace_range(span, &change.text);
                }
            }
            self.lines = Lines::new(&self.text, self.encoding);
        }
        self.tree = OnceLock::new();
    }

    /// What the editor calls it.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its language.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The position of a byte of the text.
    pub fn position(&self, byte: usize) -> Position {
        self.lines.position(&self.text, byte)
    }

    /// The range of bytes of the text.
    pub fn range(&self, span: &std::ops::Range<usize>) -> Range {
        self.lines.range(&self.text, span)
    }

    /// The byte of a position.
    pub fn byte(&self, position: Position) -> usize {
        self.lines.byte(&self.text, position)
    }

    /// The bytes of a range, also of one that is the wrong way round.
    pub(crate) fn span(&self, range: Range) -> Span {
        let (start, end) = (self.byte(range.start), self.byte(range.end));
        start.min(end)..start.max(end)
    }

    pub(crate) fn tree(&self) -> &Tree {
        self.tree
            .get_or_init(|| syntax::parse(&self.text, self.format))
    }

    /// The target as it is written, when it is written as one text.
    pub(crate) fn target(&self) -> Option<String> {
        let target = self.tree().root.get("target")?;
        let text = target.text().or_else(|| target.get("path")?.text());
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// The target in whatever form it is written, as one text.
    pub fn meant_target(&self) -> Option<String> {
        let object = || {
            let target = self.tree().root.get("target")?;
            let object = target.get("path").unwrap_or(target);
            let is_kind = |name: &str| !["container", "namespace", "labels"].contains(&name);
            let mut kinds = object.entries().iter();
            let kind = kinds.find(|entry| is_kind(&entry.key.text))?;
            let name = kind.value.text().filter(|name| !name.is_empty())?;
            let path = format!("{}/{name}", kind.key.text.replace('_', ""));
            Some(match object.get("container").and_then(Node::text) {
                Some(container) if !container.is_empty() => format!("{path}/container/{container}"),
                _ => path,
            })
        };
        self.target().or_else(object)
    }

    /// Which cluster is meant, as far as it is written. None where a template says it.
    pub fn cluster(&self) -> Option<WrittenCluster> {
        let root = &self.tree().root;
        let key = |name: &str| {
            let text = root.get(name).and_then(Node::text);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let accept = root.get("accept_invalid_certificates").and_then(Node::text);
        let written = WrittenCluster {
            kubeconfig: key("kubeconfig"),
            context: key("kube_context"),
            namespace: self.namespace().map(str::to_owned),
            accept_invalid_certificates: accept == Some("true"),
        };
        let texts = [&written.kubeconfig, &written.context, &written.namespace];
        let is_template = |text: &&String| text.contains("{{") || text.contains("{%");
        let any = texts.into_iter().flatten().find(is_template).is_some();
        (!any).then_some(written)
    }

    /// The target's namespace as it is written.
    pub(crate) fn namespace(&self) -> Option<&str> {
        let namespace = self.tree().root.get("target")?.get("namespace")?.text()?;
        (!namespace.is_empty()).then_some(namespace)
    }
}
