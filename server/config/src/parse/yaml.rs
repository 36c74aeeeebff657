//! YAML by `saphyr`. Its positions are counted in characters and become bytes here.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};

use super::{Parsed, SyntaxError};
use crate::tree::{Entry, Node, Span, Value};

pub(super) fn parse(text: &str) -> Result<Parsed, Vec<SyntaxError>> {
    let positions = Positions::new(text);
    let documents = MarkedYaml::load_from_str(text).map_err(|error| {
        let start = positions.byte(error.marker().index());
        vec![SyntaxError {
            message: format!("this is not YAML: {}", error.info()),
            span: start..start,
        }]
    })?;
    let mut errors = Vec::new();
    let mut documents = documents.iter();
    let node = match documents.next() {
        Some(document) => positions.convert(document, &mut errors),
        None => Node {
            value: Value::Map(Vec::new()),
            span: 0..0,
        },
    };
    if let Some(second) = documents.next() {
        let message = "a configuration is one YAML document; here begins another".to_owned();
        errors.push(SyntaxError {
            message,
            span: positions.span(second),
        });
    }
    if errors.is_empty() {
        Ok(Parsed { node, loose: None })
    } else {
        Err(errors)
    }
}

struct Positions<'a> {
    text: &'a str,
    /// Byte offset of each character, and of the end.
    bytes: Vec<usize>,
}

impl<'a> Positions<'a> {
    fn new(text: &'a str) -> Self {
        let mut bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        bytes.push(text.len());
        Positions { text, bytes }
    }

    fn byte(&self, character: usize) -> usize {
        self.bytes[character.min(self.bytes.len() - 1)]
    }

    fn span(&self, node: &MarkedYaml<'_>) -> Span {
        let start = self.byte(node.span.start.index());
        let mut end = self.byte(node.span.end.index()).max(start);
        // The parser's spans of `[…]` and `{…}` end before their last bracket.
        let brackets = (
            self.text[start..].chars().next(),
            self.text[end..].chars().next(),
        );
        if matches!(brackets, (Some('['), Some(']')) | (Some('{'), Some('}'))) {
            end += 1;
        }
        start..end
    }

    fn convert(&self, node: &MarkedYaml<'_>, errors: &mut Vec<SyntaxError>) -> Node {
        let span = self.span(node);
        let value = match &node.data {
            YamlData::Value(scalar) => match scalar {
                Scalar::Null => Value::Null,
                Scalar::Boolean(value) => Value::Bool(*value),
                Scalar::Integer(number) => Value::Integer(*number),
                Scalar::FloatingPoint(number) => Value::Float(number.into_inner()),
                Scalar::String(text) => Value::Text(text.to_string()),
            },
            YamlData::Sequence(list) => {
                Value::List(list.iter().map(|node| self.convert(node, errors)).collect())
            }
            YamlData::Mapping(map) => {
                let mut entries = Vec::new();
                for (key, value) in map {
                    let key_node = self.convert(key, errors);
                    let key = match key_node.value {
                        Value::Text(text) => text,
                        Value::Integer(number) => number.to_string(),
                        Value::Bool(value) => value.to_string(),
                        _ => {
                            let message = "a key must be text".to_owned();
                            errors.push(SyntaxError {
                                message,
                                span: key_node.span,
                            });
                            continue;
                        }
                    };
                    let value = self.convert(value, errors);
                    entries.push(Entry {
                        key,
                        key_span: key_node.span,
                        value,
                    });
                }
                Value::Map(entries)
            }
            YamlData::Tagged(_, inner) => return self.convert(inner, errors),
            YamlData::Representation(..) | YamlData::Alias(_) | YamlData::BadValue => {
                let message = "this value could not be read as YAML".to_owned();
                errors.push(SyntaxError {
                    message,
                    span: span.clone(),
                });
                Value::Null
            }
        };
        Node { value, span }
    }
}
