//! The part about files: every path that was not this machine's, in as few patterns as say it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use mirrord_protocol::event::Place;
use mirrord_protocol::session_control::{Least, LeastKey};
use mirrord_rules::{Access, AlignedBlock, FsMode, PathPlace, RuleSource, compile, is_plain};
use serde_json::{Value as Json, json};

use super::key;
use crate::events::touched::{FileUse, Touched};

/// More paths of one folder become a pattern for the folder.
const APART: usize = 3;

/// One path and how it was used.
struct Use<'t> {
    path: &'t str,
    writes: bool,
    file: &'t FileUse,
}

/// A pattern and what asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    why: String,
}

/// The lists that patterns can be in.
type Lists = BTreeMap<&'static str, Vec<Pattern>>;

/// Adds the keys of `feature.fs`.
pub(super) fn add(touched: &Touched, source: &RuleSource, least: &mut Least) -> Result<()> {
    let uses: Vec<Use<'_>> = touched
        .files
        .iter()
        .map(|((path, writes), file)| Use {
            path,
            writes: *writes,
            file,
        })
        .filter(|one| is_plain(one.path.as_bytes()))
        .collect();
    if uses.is_empty() {
        let why = "no file of the target was used";
        least.keys.push(key("feature.fs.mode", json!("local"), why));
        least.keys.extend(LISTS.map(|list| lists_key(list, &[])));
        return Ok(());
    }
    let plain = disagreeing(&uses, &with_lists(source, &Lists::new()))?;
    let (mut lists, mut left) = (Lists::new(), Vec::new());
    for together in [true, false] {
        lists = patterns(&plain, together);
        left = disagreeing(&uses, &with_lists(source, &lists))?;
        if left.is_empty() {
            break;
        }
    }
    let why = format!(
        "{} of the target were used; all others are this machine's",
        count(uses.len())
    );
    let mode = json!(FsMode::LocalWithOverrides.as_str());
    least.keys.push(key("feature.fs.mode", mode, why));
    for list in LISTS {
        let patterns = lists.get(list).map_or(&[][..], Vec::as_slice);
        least.keys.push(lists_key(list, patterns));
    }
    for one in left {
        least.notes.push(format!(
            "{} cannot be kept where it was: other rules come first; look at it with `explain`",
            one.path
        ));
    }
    Ok(())
}

const LISTS: [&str; 4] = ["read_write", "read_only", "not_found", "local"];

fn lists_key(list: &str, patterns: &[Pattern]) -> LeastKey {
    let value = match patterns {
        [] => Json::Null,
        patterns => patterns.iter().map(|pattern| json!(pattern.text)).collect(),
    };
    let why = match list {
        "read_write" => "changed in the target",
        "read_only" => "read from the target",
        "not_found" => "hidden from the program",
        _ => "nothing of the rest needs to be named",
    };
    let mut key = key(&format!("feature.fs.{list}"), value, why);
    key.items = patterns.iter().map(|pattern| pattern.why.clone()).collect();
    key
}

/// The session's rules with these lists alone.
fn with_lists(source: &RuleSource, lists: &Lists) -> RuleSource {
    let of = |list: &str| {
        let patterns = lists.get(list).into_iter().flatten();
        patterns.map(|pattern| pattern.text.clone()).collect()
    };
    let mut source = source.clone();
    source.fs.mode = FsMode::LocalWithOverrides;
    source.fs.read_write = of("read_write");
    source.fs.read_only = of("read_only");
    source.fs.not_found = of("not_found");
    source.fs.local = Vec::new();
    source
}

/// What would be elsewhere than it was.
fn disagreeing<'u, 't>(uses: &'u [Use<'t>], source: &RuleSource) -> Result<Vec<&'u Use<'t>>> {
    let block = AlignedBlock::new(&compile(source)?);
    let rules = block.rules()?;
    let agrees = |one: &&Use<'_>| {
        let access = match one.writes {
            true => Access::Write,
            false => Access::Read,
        };
        // A path that a mapping made is told as it was made.
        let place = rules.path_as_is(one.path.as_bytes(), access).place;
        match one.file.place {
            Place::Remote => matches!(place, PathPlace::Remote { .. }),
            Place::NotFound => place == PathPlace::NotFound,
            Place::Local => matches!(place, PathPlace::Local | PathPlace::LocalTrusted),
            Place::Refused => true,
        }
    };
    Ok(uses.iter().filter(|one| !agrees(one)).collect())
}

/// Patterns that put these where they were. `together`: folders of which many are in a list
/// become one pattern.
fn patterns(uses: &[&Use<'_>], together: bool) -> Lists {
    let mut listed: BTreeMap<&'static str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for one in uses {
        let list = match (one.file.place, one.writes) {
            (Place::NotFound, _) => "not_found",
            (Place::Remote, true) => "read_write",
            (Place::Remote, false) => "read_only",
            _ => continue,
        };
        let calls = one.file.calls.iter().map(String::as_str);
        let paths = listed.entry(list).or_default();
        paths.entry(one.path).or_default().extend(calls);
    }
    let written: BTreeSet<&str> = listed
        .get("read_write")
        .into_iter()
        .flat_map(|paths| paths.keys().copied())
        .collect();
    let lists = listed.into_iter().map(|(list, mut paths)| {
        if list == "read_only" {
            paths.retain(|path, _| !written.contains(path));
        }
        (list, in_patterns(&paths, together))
    });
    lists.collect()
}

fn in_patterns(paths: &BTreeMap<&str, BTreeSet<&str>>, together: bool) -> Vec<Pattern> {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for path in paths.keys() {
        *folders.entry(folder_of(path)).or_default() += 1;
    }
    folders.retain(|folder, files| together && *files > APART && folder.len() > 1);
    let around = |path: &str| {
        folders.keys().copied().find(|folder| {
            let rest = path.strip_prefix(folder);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let mut patterns = Vec::new();
    for folder in folders.keys() {
        // One further up has it already.
        if around(folder) == Some(*folder) {
            let inside = paths.keys().filter(|path| around(path) == Some(*folder));
            patterns.push(Pattern {
                text: format!("^{}(/|$)", regex::escape(folder)),
                why: format!("{} below {folder}", count(inside.count())),
            });
        }
    }
    for (path, calls) in paths {
        if around(path).is_none() {
            let calls: Vec<&str> = calls.iter().copied().collect();
            patterns.push(Pattern {
                text: format!("^{}$", regex::escape(path)),
                why: format!("{path} ({})", calls.join(", ")),
            });
        }
    }
    patterns
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn count(files: usize) -> String {
    match files {
        1 => "1 path".to_owned(),
        files => format!("{files} paths"),
    }
}
