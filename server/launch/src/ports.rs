//! The ports that a debugger really uses, read where each adapter is told them.

use mirrord_editor_protocol::launch::Launch;
use serde_json::Value;

use crate::{
    adapter::{Adapter, Port},
    launch::field,
};

/// Fields of raw configurations that hold command lines.
const COMMAND_LINES: &[&str] = &["runtimeArgs", "args", "vmArgs", "dlvFlags", "command"];

/// All of them, each once, in no order that means anything.
pub(crate) fn of(adapter: &Adapter, launch: &Launch) -> Vec<u16> {
    let words = words(launch);
    let mut ports: Vec<u16> = adapter
        .ports
        .iter()
        .filter_map(|port| match *port {
            Port::At(place) => at(launch, place),
            Port::Usually(place, usual) => Some(at(launch, place).unwrap_or(usual)),
            Port::Word(word, default) => in_words(&words, word, default),
        })
        .chain(launch.debugger.as_ref().and_then(|debugger| debugger.port))
        .filter(|port| *port != 0)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn at(launch: &Launch, place: &str) -> Option<u16> {
    match launch.raw.as_ref()?.pointer(place)? {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) => last_number(text),
        _ => None,
    }
}

fn in_words(words: &[&str], word: &str, default: Option<u16>) -> Option<u16> {
    let place = words
        .iter()
        .position(|known| known.split('=').next() == Some(word))?;
    let told = match words[place].split_once('=') {
        Some((_, value)) => last_number(value),
        None => words.get(place + 1).and_then(|next| last_number(next)),
    };
    told.or(default)
}

/// `5005`, `*:5005`, `127.0.0.1:5005`.
fn last_number(text: &str) -> Option<u16> {
    text.rsplit(':').next()?.trim().parse().ok()
}

/// JDWP's words are separated by commas inside one argument.
fn words(launch: &Launch) -> Vec<&str> {
    let fields = COMMAND_LINES.iter().filter_map(|name| field(launch, name));
    let raw = fields.flat_map(|value| match value {
        Value::String(text) => vec![text.as_str()],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    });
    raw.chain(launch.args.iter().flatten().map(String::as_str))
        .flat_map(|text| text.split([' ', ',']))
        .filter(|word| !word.is_empty())
        .collect()
}
