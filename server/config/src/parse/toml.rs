//! TOML by the `toml` crate's own spanned tree.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Parsed, SyntaxError};
use crate::tree::{Entry, Node, Value};

pub(super) fn parse(text: &str) -> Result<Parsed, Vec<SyntaxError>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let errors = errors.into_iter().map(|error| SyntaxError {
            message: format!("this is not TOML: {}", error.message()),
            span: error.span().unwrap_or(0..0),
        });
        return Err(errors.collect());
    }
    let span = table.span();
    let node = Node {
        value: map(table.get_ref()),
        span,
    };
    Ok(Parsed { node, loose: None })
}

fn map(table: &DeTable<'_>) -> Value {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_span: key.span(),
            value: convert(value),
        })
        .collect();
    // The table is sorted by name; lists of rules mean something by their order.
    entries.sort_by_key(|entry| entry.key_span.start);
    Value::Map(entries)
}

fn convert(value: &Spanned<DeValue<'_>>) -> Node {
    let converted = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Float(f64::INFINITY),
        },
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(date) => Value::Text(date.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(convert).collect()),
        DeValue::Table(table) => map(table),
    };
    Node {
        value: converted,
        span: value.span(),
    }
}
