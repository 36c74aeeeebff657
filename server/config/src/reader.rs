//! Reading values of the tree into settings: the context that knows where values stand and collects
//! what is wrong with them. The kinds of values are in [`crate::kinds`].

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::effective::Unserved;
use crate::group::{Status, Word};
use crate::problem::{Code, Fix, Place, Problem, Severity, SourceFile, TextEdit};
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
    /// Values of keys that are recognised and not served.
    pub(crate) unserved: Vec<Unserved>,
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

    pub(crate) fn error(&mut self, code: Code, span: &Span, message: String) -> &mut Problem {
        self.report(Severity::Error, code, span, message)
    }

    pub(crate) fn warning(&mut self, code: Code, span: &Span, message: String) -> &mut Problem {
        self.report(Severity::Warning, code, span, message)
    }

    /// Adds a problem; the caller may add help and a fix.
    pub(crate) fn report(
        &mut self,
        severity: Severity,
        code: Code,
        span: &Span,
        message: String,
    ) -> &mut Problem {
        let problem = Problem {
            severity,
            ..Problem::error(code, message)
        };
        let place = self.origin(span).place().cloned();
        let index = self.problems.len();
        self.problems.push(problem.at(place));
        &mut self.problems[index]
    }

    pub(crate) fn wrong_kind<'a>(&'a mut self, node: &Node, expected: &str) -> &'a mut Problem {
        let message = format!("{} must be {expected}, not {}", self.name(""), node.kind());
        self.error(Code::WrongType, &node.span, message)
    }

    /// Another word in the place of this one, in its quotation marks; none where a template stands.
    pub(crate) fn renaming(&self, span: &Span, new: &str) -> Option<Box<Fix>> {
        let (place, written) = self.written(span)?;
        let quoted = written.len() >= 2
            && written.starts_with(['"', '\''])
            && written.chars().next() == written.chars().next_back();
        let inset = usize::from(quoted);
        let span = place.span.start + inset..place.span.end - inset;
        Some(Box::new(Fix {
            title: format!("replace by `{new}`"),
            edits: vec![TextEdit {
                span,
                new_text: new.to_owned(),
            }],
        }))
    }

    /// Another text in the place of this one; none where a template stands.
    pub(crate) fn replacing(
        &self,
        span: &Span,
        new: impl FnOnce(&str) -> String,
    ) -> Option<Box<Fix>> {
        let (place, written) = self.written(span)?;
        let new_text = new(written);
        Some(Box::new(Fix {
            title: format!("replace by `{new_text}`"),
            edits: vec![TextEdit {
                span: place.span,
                new_text,
            }],
        }))
    }

    /// What the author wrote there, when no template had a part in it.
    fn written(&self, span: &Span) -> Option<(Place, &str)> {
        let (file, rendered) = self.source.as_ref()?;
        let (span, made) = rendered.source(span)?;
        let written = file.text.get(span.clone()).filter(|_| !made)?;
        let place = Place {
            file: file.clone(),
            span,
        };
        Some((place, written))
    }

    /// Keeps a value that nothing reads, for showing.
    pub(crate) fn keep_unserved(&mut self, node: &Node, status: Status) {
        let value = Unserved {
            path: self.path.join("."),
            value: node.to_json(),
            origin: self.origin(&node.span),
            status,
        };
        self.unserved.push(value);
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
                Err(expected) => {
                    let message = format!(
                        "environment variable {name}=`{text}` (for {}) must be {expected}",
                        self.name(key)
                    );
                    let problem = Problem::error(Code::Environment, message);
                    let help = format!("set {name} to such a value, or unset it");
                    self.problems.push(problem.help(help));
                }
            }
            return;
        }
    }

    /// Takes a setting from a flag of the command line.
    pub(crate) fn flag<T: Kind>(
        &mut self,
        key: &str,
        text: &str,
        flag: &'static str,
        setting: &mut Setting<T>,
    ) {
        match T::from_env(text, flag) {
            Ok(value) => {
                *setting = Setting {
                    value,
                    origin: Origin::Flag(flag),
                };
            }
            Err(expected) => {
                let name = self.name(key);
                let message = format!("{flag}: `{text}` (for {name}) must be {expected}");
                self.problems
                    .push(Problem::error(Code::Environment, message));
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
    /// The words that it can be, when there is a closed list of them.
    fn words() -> Vec<Word> {
        Vec::new()
    }
    /// The values inside a list or a map: what they are called below the key, and each with its
    /// own origin.
    fn parts(&self) -> Vec<Part> {
        Vec::new()
    }
}

/// A value inside another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name or number below the key.
    pub name: String,
    /// The value.
    pub value: Json,
    /// Where it comes from.
    pub origin: Origin,
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
