//! What a program may see otherwise through us than inside the pod: a checked-in list, each entry
//! with its reason. Everything else must be equal.

use regex::Regex;
use serde::Deserialize;

use crate::product;

/// One allowed difference.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// Names of the programs, or `*`.
    pub programs: Vec<String>,
    /// Commands of the probe (`env`, `files`, …).
    pub commands: Vec<String>,
    /// Lines that match are left out of the comparison, on both sides.
    pub line: String,
    /// Why this cannot be equal: the kernel's or mirrord's reason.
    pub reason: String,
}

/// The list.
pub fn allowed() -> Vec<Allowed> {
    let path = product::sources().join("allowed-differences.json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("could not read {}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails with the differing lines unless both outputs are equal but for the list.
pub fn assert_same(program: &str, command: &str, inside: &str, through_us: &str) {
    let list: Vec<Regex> = allowed()
        .iter()
        .filter(|one| one.programs.iter().any(|name| name == "*" || name == program))
        .filter(|one| one.commands.iter().any(|name| name == command))
        .map(|one| Regex::new(&one.line).expect("a regular expression"))
        .collect();
    let kept = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !list.iter().any(|one| one.is_match(line)));
        lines.map(str::to_owned).collect()
    };
    let (inside, through_us) = (kept(inside), kept(through_us));
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).cloned().collect()
    };
    assert!(
        inside == through_us,
        "{program} {command} sees something else through us\n  only inside the pod:\n    {}\n  \
         only through us:\n    {}\n  (or the order differs)",
        only(&inside, &through_us).join("\n    "),
        only(&through_us, &inside).join("\n    "),
    );
    assert!(!inside.is_empty(), "{program} {command} printed nothing to compare");
}
