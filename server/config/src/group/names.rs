//! Unknown keys: which known one was meant.

use super::former;
use super::key::KeyInfo;
use crate::problem::{Code, Severity};
use crate::reader::Reader;
use crate::schema;
use crate::tree::Span;

/// Reports a key that is not there.
pub(crate) fn unknown_key(known: &[KeyInfo], key: &str, span: &Span, reader: &mut Reader) {
    let names: Vec<&str> = known.iter().map(|key| key.name).collect();
    unknown_name(&names, key, span, reader);
}

/// Reports a key that is none of these.
pub(crate) fn unknown_name(known: &[&str], key: &str, span: &Span, reader: &mut Reader) {
    if let Some(former) = former::find(&reader.path, key) {
        let message = format!("{}: {}", reader.name(key), former.sentence());
        let fix = former
            .replacement()
            .and_then(|new| reader.renaming(span, new));
        let problem = reader.report(Severity::Warning, Code::Deprecated, span, message);
        problem.fix = fix;
        return;
    }
    let near = nearest(known, key);
    let elsewhere = || {
        schema::paths_ending_in(key)
            .into_iter()
            .min_by_key(|path| path.len())
    };
    let help = match near {
        Some(name) => format!("did you mean `{name}`?"),
        None => match elsewhere() {
            Some(path) if path == key => format!("`{key}` belongs to the top of the file"),
            Some(path) => format!("did you mean `{path}`?"),
            None => format!("known keys here: {}", known.join(", ")),
        },
    };
    let message = format!("unknown key `{key}` in {}", reader.name(""));
    let fix = near.and_then(|name| reader.renaming(span, name));
    let problem = reader.error(Code::UnknownKey, span, message);
    problem.help = Some(help);
    problem.fix = fix;
}

/// The known name that was probably meant.
pub(crate) fn nearest<'a>(known: &[&'a str], name: &str) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&name, known), *known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min()
        .map(|(_, known)| known)
}
