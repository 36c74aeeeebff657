//! The launcher in front of what a preload does not reach, in each adapter's way; and taking it
//! away again, so that a launch that was planned before is seen as the user wrote it.

use serde_json::{Map, Value, json};

use crate::{
    LAUNCH_ROLE, STAND_FOR, SUPERVISOR, TOKEN,
    adapter::{Adapter, Front, GdbCommands},
    environment,
    launch::Injection,
    plan::Refusal,
};

/// A raw configuration.
type Raw = Map<String, Value>;

/// The launcher, its role, the socket: then the program.
const PREFIX_WORDS: usize = 3;

/// Takes our own earlier changes out of `raw`; the preload is left, for it is merged anyway.
pub(crate) fn undo(adapter: &Adapter, raw: &mut Raw) {
    match adapter.front {
        Front::Fields {
            executable,
            arguments,
        } => undo_fields(raw, executable, arguments),
        Front::List(field) => undo_list(raw, field),
        Front::Gdb(GdbCommands::Objects(field) | GdbCommands::Texts(field)) => {
            undo_commands(raw, field);
        }
        Front::Debugger { field, .. } => {
            if let Some(debugger) = environment::get(raw.get(adapter.env), STAND_FOR) {
                raw.insert(field.to_owned(), debugger.into());
            }
        }
        Front::Nowhere(_) => {}
    }
    for name in [SUPERVISOR, TOKEN, STAND_FOR] {
        match raw.get_mut(adapter.env) {
            Some(Value::Object(members)) => {
                members.remove(name);
            }
            Some(Value::Array(items)) => {
                items.retain(|item| environment::get(Some(&json!([item])), name).is_none())
            }
            _ => {}
        }
    }
}

/// Why the launcher must stand in front.
pub(crate) struct Wanted {
    /// What is special about the program, a sentence without its full stop.
    pub why: String,
    /// How it is built so that no launcher is needed.
    pub instead: &'static str,
}

/// Puts the launcher in front.
pub(crate) fn apply(
    adapter: &Adapter,
    raw: &mut Raw,
    injection: &Injection,
    wanted: &Wanted,
) -> Result<Option<String>, Refusal> {
    let prefix = injection.prefix();
    match adapter.front {
        Front::Fields {
            executable,
            arguments,
        } => {
            let named = raw.get(executable).and_then(Value::as_str);
            // Without a name in the configuration the client starts something of its own; the
            // neutral prefix is for it.
            let Some(program) = named.or(adapter.default_executable).map(str::to_owned) else {
                return Ok(None);
            };
            let mut words = prefix[1..].to_vec();
            words.push(program);
            let old = raw.remove(arguments);
            raw.insert(arguments.to_owned(), in_front(words, old));
            raw.insert(executable.to_owned(), injection.launcher.clone().into());
        }
        Front::List(field) => {
            let named = [raw.remove(field), raw.get("pythonPath").cloned()];
            let mut named = named.into_iter().flatten().filter(|value| !is_empty(value));
            let old = named
                .next()
                .or_else(|| adapter.default_executable.map(Value::from));
            raw.insert(field.to_owned(), in_front(prefix, old.map(listed)));
        }
        Front::Gdb(commands) => {
            let command = format!("set exec-wrapper {}", quoted(&prefix));
            let (field, item) = match commands {
                GdbCommands::Objects(field) => (
                    field,
                    json!({"text": format!("-interpreter-exec console \"{}\"", escaped(&command))}),
                ),
                GdbCommands::Texts(field) => (field, json!(command)),
            };
            let mut items = match raw.remove(field) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            };
            items.push(item);
            raw.insert(field.to_owned(), items.into());
        }
        Front::Debugger { field, default } => {
            let named = raw.get(field).and_then(Value::as_str);
            let debugger = named.unwrap_or(default).to_owned();
            raw.insert(field.to_owned(), injection.launcher.clone().into());
            return Ok(Some(debugger));
        }
        Front::Nowhere(other) => return Err(nowhere(wanted, other)),
    }
    Ok(None)
}

/// The refusal where no launcher can stand; `other` is the debugger's own way out.
pub(crate) fn nowhere(wanted: &Wanted, other: &str) -> Refusal {
    Refusal::new(
        format!(
            "{}, and this debugger gives a launcher no place in front of it",
            wanted.why
        ),
        format!(
            "{}; or {other}; or run it without a debugger, with `mirrord-server exec -- PROGRAM`",
            wanted.instead
        ),
    )
}

fn is_prefix(words: &[Value]) -> bool {
    words.len() > PREFIX_WORDS && words[1].as_str() == Some(LAUNCH_ROLE)
}

fn undo_fields(raw: &mut Raw, executable: &str, arguments: &str) {
    match raw.get(arguments) {
        Some(Value::Array(words)) => {
            let all: Vec<Value> = std::iter::once(raw.get(executable).cloned().unwrap_or_default())
                .chain(words.iter().cloned())
                .collect();
            if is_prefix(&all) {
                raw.insert(executable.to_owned(), all[PREFIX_WORDS].clone());
                let rest = &all[PREFIX_WORDS + 1..];
                match rest.is_empty() {
                    true => raw.remove(arguments),
                    false => raw.insert(arguments.to_owned(), rest.to_vec().into()),
                };
            }
        }
        Some(Value::String(line)) => {
            // We wrote the words in front, each quoted where it needs to be.
            let words = split(line, PREFIX_WORDS);
            if let [role, _, program, rest] = &words[..]
                && role == LAUNCH_ROLE
            {
                let (program, rest) = (program.clone(), rest.clone());
                raw.insert(executable.to_owned(), program.into());
                raw.insert(arguments.to_owned(), rest.into());
            }
        }
        _ => {}
    }
}

fn undo_list(raw: &mut Raw, field: &str) {
    if let Some(Value::Array(words)) = raw.get(field)
        && is_prefix(words)
    {
        let rest = words[PREFIX_WORDS..].to_vec();
        let program = match &rest[..] {
            [one] => one.clone(),
            _ => rest.into(),
        };
        raw.insert(field.to_owned(), program);
    }
}

fn undo_commands(raw: &mut Raw, field: &str) {
    let Some(Value::Array(items)) = raw.get_mut(field) else {
        return;
    };
    let before = items.len();
    items.retain(|item| {
        let text = item.get("text").unwrap_or(item).as_str().unwrap_or("");
        !(text.contains("exec-wrapper") && text.contains(LAUNCH_ROLE))
    });
    if items.is_empty() && before > 0 {
        raw.remove(field);
    }
}

/// `words`, then what was there: a list stays a list, a line of text a line of text.
fn in_front(words: Vec<String>, old: Option<Value>) -> Value {
    match old {
        Some(Value::String(line)) => format!("{} {line}", quoted(&words)).into(),
        Some(Value::Array(items)) => words.into_iter().map(Value::from).chain(items).collect(),
        _ => words.into(),
    }
}

fn listed(value: Value) -> Value {
    match value {
        Value::Array(_) => value,
        other => json!([other]),
    }
}

/// Names nothing: the adapter takes its default.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(name) => name.is_empty(),
        Value::Array(words) => words
            .first()
            .is_none_or(|first| first.as_str().is_none_or(str::is_empty)),
        _ => true,
    }
}

/// As a shell takes them.
fn quoted(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-@:+,=%".contains(c);
    let word = |word: &String| match word.chars().all(plain) {
        true => word.clone(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Inside a C string of gdb's machine interface.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The first `count` words of a line that [`quoted`] began, and the rest of it.
fn split(line: &str, count: usize) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line;
    for _ in 0..count {
        let mut word = String::new();
        let mut inside = false;
        let mut end = rest.len();
        let mut chars = rest.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => inside = !inside,
                '\\' if !inside => word.extend(chars.next().map(|(_, c)| c)),
                ' ' if !inside => {
                    end = at;
                    break;
                }
                c => word.push(c),
            }
        }
        words.push(word);
        // One space is ours; more are the user's.
        rest = rest[end..].strip_prefix(' ').unwrap_or_default();
    }
    words.push(rest.to_owned());
    words
}
