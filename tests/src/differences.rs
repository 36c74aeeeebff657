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
    /// Whose runs: everybody's, or only those of users without root.
    #[serde(default)]
    pub users: Users,
    /// Lines that match are left out of the comparison, on both sides. Where it has groups named
    /// `uid` and `gid`, the lines are compared, but what these groups find inside the pod must be
    /// 0 there and one's own id through us.
    pub line: String,
    /// Why this cannot be equal: the kernel's or mirrord's reason.
    pub reason: String,
}

/// Who sees a difference.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Users {
    /// Everybody.
    #[default]
    All,
    /// Whoever is not root: pod and file system live in user namespaces.
    Ordinary,
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
    let (owned, left_out): (Vec<Regex>, Vec<Regex>) = allowed()
        .iter()
        .filter(|one| {
            one.programs
                .iter()
                .any(|name| name == "*" || name == program)
        })
        .filter(|one| one.commands.iter().any(|name| name == command))
        .filter(|one| one.users == Users::All || !product::is_root())
        .map(|one| Regex::new(&one.line).expect("a regular expression"))
        .partition(|line| line.capture_names().flatten().any(|name| name == "uid"));
    let kept = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| !left_out.iter().any(|one| one.is_match(line)));
        lines.map(str::to_owned).collect()
    };
    let inside = inside
        .lines()
        .map(|line| as_own(line, &owned))
        .collect::<Vec<_>>()
        .join("\n");
    let (inside, through_us) = (kept(&inside), kept(through_us));
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these
            .iter()
            .filter(|line| !those.contains(line))
            .cloned()
            .collect()
    };
    assert!(
        inside == through_us,
        "{program} {command} sees something else through us\n  only inside the pod:\n    {}\n  \
         only through us:\n    {}\n  (or the order differs)",
        only(&inside, &through_us).join("\n    "),
        only(&through_us, &inside).join("\n    "),
    );
    assert!(
        !inside.is_empty(),
        "{program} {command} printed nothing to compare"
    );
}

/// A line as it would be if the pod's root were we: ids of 0 in the groups `uid` and `gid`.
fn as_own(line: &str, rules: &[Regex]) -> String {
    let (user, group) = (
        rustix::process::getuid().as_raw(),
        rustix::process::getgid().as_raw(),
    );
    for rule in rules {
        let Some(found) = rule.captures(line) else {
            continue;
        };
        let mut places: Vec<_> = [("uid", user), ("gid", group)]
            .into_iter()
            .filter_map(|(name, id)| Some((found.name(name)?, id)))
            .filter(|(place, _)| place.as_str() == "0")
            .collect();
        // From the end, so that the places in front stay where they are.
        places.sort_by_key(|(place, _)| std::cmp::Reverse(place.start()));
        let mut line = line.to_owned();
        for (place, id) in places {
            line.replace_range(place.range(), &id.to_string());
        }
        return line;
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zeroes_in_the_named_places_become_ones_own_ids() {
        let rules =
            [Regex::new("^stat uid (?<uid>[0-9]+) gid (?<gid>[0-9]+) size").expect("a rule")];
        let (user, group) = (
            rustix::process::getuid().as_raw(),
            rustix::process::getgid().as_raw(),
        );
        assert_eq!(
            as_own("stat uid 0 gid 0 size 0", &rules),
            format!("stat uid {user} gid {group} size 0")
        );
        assert_eq!(
            as_own("stat uid 7 gid 0 size 0", &rules),
            format!("stat uid 7 gid {group} size 0")
        );
        assert_eq!(
            as_own("other uid 0 gid 0 size 0", &rules),
            "other uid 0 gid 0 size 0"
        );
    }
}
