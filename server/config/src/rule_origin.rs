//! From the name of a rule, as events and explanations show it, back to where it was written.

use serde_json::Value as Json;

use crate::config::Config;
use crate::effective::effective;
use crate::schema;
use crate::setting::Origin;

impl Config {
    /// Where the rule of this name comes from: `fs.read_only ^/data` from the pattern in its list,
    /// `fs.mode read` from the mode. What nobody wrote is [`Origin::Default`].
    pub fn rule_origin(&self, rule: &str) -> Origin {
        let (key, words) = rule.split_once(' ').unwrap_or((rule, ""));
        if words.starts_with("(default)") {
            return Origin::Default;
        }
        let feature = format!("feature.{key}");
        let values: Vec<(String, Json, Origin)> = effective(self, &[])
            .into_iter()
            .map(|value| (value.path.join("."), value.value, value.origin))
            .collect();
        let below = |name: &str| Some(name.strip_prefix(&feature)?.strip_prefix('.')?.to_owned());
        let is_meant = |(name, value, _): &&(String, Json, Origin)| match below(name) {
            // A list's value by itself, a pair by its name.
            Some(part) => {
                let text = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                let named = words.strip_prefix(&*part);
                text == words || named.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            }
            None => false,
        };
        if let (false, Some((.., origin))) = (words.is_empty(), values.iter().find(is_meant)) {
            return origin.clone();
        }
        // The key, the nearest around it (`….filter.remote`), or the first of a group.
        let mut key = feature.as_str();
        loop {
            let inside = format!("{key}.");
            let exact = values.iter().find(|(name, ..)| name == key);
            let is_key = |name: &str| schema::find(&name.split('.').collect::<Vec<_>>()).is_some();
            let is_inside = |name: &str| name.starts_with(&inside) && is_key(name);
            let first = || values.iter().find(|(name, ..)| is_inside(name));
            if let Some((.., origin)) = exact.or_else(first) {
                return origin.clone();
            }
            match key.rsplit_once('.') {
                Some((shorter, _)) if shorter != "feature" => key = shorter,
                _ => return Origin::Default,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{Flags, Surroundings, read_in};

    #[test]
    fn rules_lead_back_to_the_line_that_says_them() {
        let text = "feature:\n  fs:\n    mode: read\n    read_only:\n      - ^/a$\n      - ^/b$\n  \
                    env:\n    override:\n      COLOUR: red\n  network:\n    outgoing:\n      \
                    filter:\n        remote:\n          - db:5432\n    incoming:\n      mode: \
                    steal\n      ignore_ports: [9000]\n";
        let surroundings = Surroundings {
            env: [("MIRRORD_SKIP_PROCESSES".into(), "x".into())].into(),
            git_branch: &|| None,
        };
        let source = Some((Path::new("c.yaml"), text));
        let reading = read_in(source, None, &Flags::default(), &surroundings);
        assert!(reading.is_ok(), "{:?}", reading.problems);
        for (rule, origin) in [
            ("fs.read_only ^/b$", "c.yaml:6:9"),
            ("fs.mode read (writes are local)", "c.yaml:3:11"),
            ("fs.local (default) ^/usr(/|$)", "the default"),
            ("env.override COLOUR", "c.yaml:9:15"),
            ("env.exclude (default) PATH", "the default"),
            ("network.outgoing.filter.remote db:5432", "c.yaml:14:13"),
            ("network.outgoing.filter.remote (no match)", "c.yaml:13:9"),
            ("network.outgoing.tcp false", "the default"),
            ("network.dns", "the default"),
            ("network.incoming.mode steal", "c.yaml:16:13"),
            ("network.incoming.ignore_ports 9000", "c.yaml:17:22"),
            ("nothing.like this", "the default"),
        ] {
            assert_eq!(
                reading.config.rule_origin(rule).to_string(),
                origin,
                "{rule}"
            );
        }
    }
}
