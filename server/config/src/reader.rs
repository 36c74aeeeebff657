//! Reading values of the tree into settings: the context that knows where values stand and collects
//! what is wrong with them. The kinds of values are in [`crate::kinds`].

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::group::Status;
use crate::problem::{Place, Problem, Severity, SourceFile};
use crate::setting::{Origin, Setting};
use crate::template::Rendered;
use crate::tree::{Node, Span, Value};

/// What reading needs and leaves behind.
pub struct Reader {
    /// Environment of the caller.
    pub(crate) env: HashMap<String, String>,
    /// The file, as its author wrote it, and what it was rendered to.
    pub(crate) source: Option<(Arc<SourceFile>, Rendered)>,
    /// Everything wrong so far.
    pub(crate) problems: Vec<Problem>,
    /// Keys from the root to what is being read.
    pub(crate) path: Vec<String>,
}

impl Reader {
    /// The path of a key below what is being read, as `feature.fs.mode`.
    pub(crate) fn name(&self, key: &str) -> String {
        let mut path = self.path.clone();
        if !key.is_empty() {
            path.push(key.to_owned());
        }
        if path.is_empty() {
            "the configuration".to_owned()
        } else {
            path.join(".")
        }
    }

    /// Where a value comes from.
    pub(crate) fn origin(&self, span: &Span) -> Origin {
        let Some((file, rendered)) = &self.source else {
            return Origin::Default;
        };
        match rendered.source(span) {
            Some((span, false)) => Origin::File(Place {
                file: file.clone(),
                span,
            }),
            Some((span, true)) => Origin::Template(Place {
                file: file.clone(),
                span,
            }),
            // The rendered text stands in for the file then, see `load`.
            None => Origin::Template(Place {
                file: file.clone(),
                span: span.clone(),
            }),
        }
    }

    pub(crate) fn error(&mut self, span: &Span, message: String, help: Option<String>) {
        self.problem(Severity::Error, span, message, help);
    }

    pub(crate) fn warning(&mut self, span: &Span, message: String, help: Option<String>) {
        self.problem(Severity::Warning, span, message, help);
    }

    fn problem(&mut self, severity: Severity, span: &Span, message: String, help: Option<String>) {
        let place = self.origin(span).place().cloned();
        self.problems.push(Problem {
            severity,
            message,
            place,
            help,
        });
    }

    pub(crate) fn wrong_kind(&mut self, node: &Node, expected: &str) {
        let message = format!("{} must be {expected}, not {}", self.name(""), node.kind());
        self.error(&node.span, message, None);
    }

    /// Reads one setting in place, below `key`.
    pub(crate) fn setting<T: Kind>(&mut self, key: &str, node: &Node, setting: &mut Setting<T>) {
        if node.value == Value::Null {
            return;
        }
        self.path.push(key.to_owned());
        if let Some(value) = T::read(node, self) {
            *setting = Setting {
                value,
                origin: self.origin(&node.span),
            };
        }
        self.path.pop();
    }

    /// Takes a setting from the first of these variables that is set.
    pub(crate) fn overrule<T: Kind>(
        &mut self,
        key: &str,
        names: &[&'static str],
        setting: &mut Setting<T>,
    ) {
        for name in names {
            let Some(text) = self.env.get(*name).cloned() else {
                continue;
            };
            match T::from_env(&text, name) {
                Ok(value) => {
                    *setting = Setting {
                        value,
                        origin: Origin::Env((*name).to_owned()),
                    };
                }
                Err(expected) => self.problems.push(Problem {
                    severity: Severity::Error,
                    message: format!(
                        "environment variable {name}=`{text}` (for {}) must be {expected}",
                        self.name(key)
                    ),
                    place: None,
                    help: Some(format!("set {name} to such a value, or unset it")),
                }),
            }
            return;
        }
    }
}

impl Reader {
    /// Warns about variables that ask for something that is not served.
    pub(crate) fn unserved_env(&mut self, key: &str, names: &[&'static str], status: Status) {
        for name in names {
            let asks = self
                .env
                .get(*name)
                .is_some_and(|text| !matches!(text.as_str(), "" | "false"));
            if let (true, Some(sentence)) = (asks, status.sentence()) {
                let message = format!(
                    "environment variable {name} (for {}): {sentence}",
                    self.name(key)
                );
                self.problems.push(Problem {
                    severity: Severity::Warning,
                    message,
                    place: None,
                    help: None,
                });
            }
        }
    }
}

/// A kind of value that a setting can have.
pub trait Kind: Sized {
    /// Reads a value; on trouble the reader gets a problem.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self>;
    /// Reads an environment variable; the error is what is expected.
    fn from_env(text: &str, name: &str) -> Result<Self, String>;
    /// JSON Schema of what can be written in a file.
    fn schema() -> Json;
    /// The value as it would be written, for defaults.
    fn to_json(&self) -> Json;
}

/// The part of a file that a part of a text stands in, when the text was written plainly (without
/// escapes), or all of it.
pub(crate) fn inner_place(setting: &Setting<String>, inner: &Range<usize>) -> Option<Place> {
    let place = setting.origin.place()?.clone();
    if matches!(setting.origin, Origin::Template(_)) {
        return Some(place);
    }
    let written = place.file.text.get(place.span.clone())?;
    match written.find(&setting.value) {
        Some(at) if !setting.value.is_empty() => {
            let start = place.span.start + at + inner.start;
            let end = place.span.start + at + inner.end.max(inner.start + 1);
            Some(Place {
                span: start..end.min(place.span.end),
                ..place
            })
        }
        _ => Some(place),
    }
}
