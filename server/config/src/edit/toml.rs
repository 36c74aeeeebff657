//! TOML, by `toml_edit`, which keeps comments and style by itself.

use serde_json::Value as Json;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::{Step, first_step, without_nothing};
use crate::tree::Node;

/// The text after one step.
pub(super) fn step(text: &str, root: &Node, wanted: &Json) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let now = without_nothing(root.to_json());
    match first_step(&now, wanted, &mut Vec::new())? {
        Step::Delete(path) => {
            let (last, above) = path.split_last()?;
            table_at(&mut document, above)?.remove(last)?;
        }
        Step::Insert(path, key, value) => {
            let inline = inline_at(&mut document, &path)?;
            let table = table_at(&mut document, &path)?;
            table.insert(key, item(value, inline)?);
        }
        Step::Push(path, value) => {
            let (last, above) = path.split_last()?;
            let list = table_at(&mut document, above)?.get_mut(last)?;
            let list = list.as_array_mut()?;
            let new = plain(value)?;
            // A list with a line for each value gets one more line.
            let before = list.iter().last().and_then(|last| last.decor().prefix());
            let before = before.and_then(|raw| raw.as_str()).map(str::to_owned);
            match before.filter(|before| before.contains('\n')) {
                Some(before) => {
                    let indent = before.rsplit('\n').next().unwrap_or("").to_owned();
                    list.push_formatted(new.decorated(format!("\n{indent}"), ""));
                }
                None => list.push(new),
            }
        }
        Step::Replace(path, value) => {
            let (last, above) = path.split_last()?;
            let inline = inline_at(&mut document, above)?;
            let table = table_at(&mut document, above)?;
            let old = table.get_mut(last)?;
            match (old.as_value_mut(), item(value, inline)?) {
                (Some(old), Item::Value(mut new)) => {
                    *new.decor_mut() = old.decor().clone();
                    *old = new;
                }
                // A key in front of a value has a blank behind it, which no header wants.
                (_, new) => {
                    table.remove(last);
                    table.insert(last, new);
                }
            }
        }
    }
    Some(document.to_string())
}

fn table_at<'d>(document: &'d mut DocumentMut, path: &[String]) -> Option<&'d mut dyn TableLike> {
    let mut item = document.as_item_mut();
    for key in path {
        item = item.as_table_like_mut()?.get_mut(key)?;
    }
    item.as_table_like_mut()
}

/// Whether what lies below a path must be written on one line.
fn inline_at(document: &mut DocumentMut, path: &[String]) -> Option<bool> {
    let mut item = document.as_item_mut();
    for key in path {
        item = item.as_table_like_mut()?.get_mut(key)?;
    }
    Some(item.is_inline_table())
}

fn item(value: &Json, inline: bool) -> Option<Item> {
    let Json::Object(map) = value else {
        return plain(value).map(Item::Value);
    };
    if inline || map.is_empty() {
        return plain(value).map(Item::Value);
    }
    let mut table = Table::new();
    for (key, value) in map {
        table.insert(key, item(value, false)?);
    }
    // A header with nothing but other tables under it says nothing.
    table.set_implicit(map.values().all(|value| value.is_object()));
    Some(Item::Table(table))
}

fn plain(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::from(number),
            None => Value::from(number.as_f64()?),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => Value::Array(list.iter().map(plain).collect::<Option<Array>>()?),
        Json::Object(map) => {
            let mut table = InlineTable::new();
            for (key, value) in map {
                table.insert(key, plain(value)?);
            }
            Value::InlineTable(table)
        }
    })
}
