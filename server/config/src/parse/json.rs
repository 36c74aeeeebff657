//! JSON by `jsonc-parser`. mirrord takes JSON to the letter; editors write comments into it, so
//! we take those and trailing commas too, and say that mirrord would not.

use jsonc_parser::ast::{ObjectPropName, Value as Json};
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::ParseError;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::{Parsed, SyntaxError};
use crate::tree::{Entry, Node, Span, Value};

pub(super) fn parse(text: &str) -> Result<Parsed, Vec<SyntaxError>> {
    let strict = options(false);
    let parsed = parse_to_ast(text, &CollectOptions::default(), &strict);
    let (parsed, loose) = match parsed {
        Ok(parsed) => (parsed, None),
        Err(strict) => match parse_to_ast(text, &CollectOptions::default(), &options(true)) {
            Ok(parsed) => (parsed, Some(span(strict.range()))),
            Err(error) => return Err(vec![syntax(error)]),
        },
    };
    let Some(value) = parsed.value else {
        let node = Node {
            value: Value::Map(Vec::new()),
            span: 0..0,
        };
        return Ok(Parsed { node, loose });
    };
    Ok(Parsed {
        node: convert(&value),
        loose,
    })
}

fn options(loose: bool) -> ParseOptions {
    ParseOptions {
        allow_comments: loose,
        allow_loose_object_property_names: false,
        allow_trailing_commas: loose,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn convert(json: &Json<'_>) -> Node {
    let value = match json {
        Json::NullKeyword(_) => Value::Null,
        Json::BooleanLit(literal) => Value::Bool(literal.value),
        Json::StringLit(literal) => Value::Text(literal.value.to_string()),
        Json::NumberLit(literal) => match literal.value.parse::<i64>() {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Float(literal.value.parse().unwrap_or(f64::NAN)),
        },
        Json::Array(array) => Value::List(
            array
                .elements
                .iter()
                .map(|element| convert(element))
                .collect(),
        ),
        Json::Object(object) => Value::Map(
            object
                .properties
                .iter()
                .map(|property| Entry {
                    key: property.name.as_str().to_owned(),
                    key_span: match &property.name {
                        ObjectPropName::String(name) => span(name.range),
                        ObjectPropName::Word(name) => span(name.range),
                    },
                    value: convert(&property.value),
                })
                .collect(),
        ),
    };
    Node {
        value,
        span: span(json.range()),
    }
}

fn syntax(error: ParseError) -> SyntaxError {
    SyntaxError {
        message: format!("this is not JSON: {}", error.kind()),
        span: span(error.range()),
    }
}

fn span(range: jsonc_parser::common::Range) -> Span {
    range.start..range.end.max(range.start)
}
