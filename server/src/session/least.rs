//! The least configuration that does what a session's programs needed: what they touched in the
//! pod is named, everything else stays on this machine. Each rule that is proposed is compiled and
//! asked about everything that was touched before it is told.

mod files;
mod network;

use anyhow::Result;
use mirrord_config::group::Status;
use mirrord_config::setting::Origin;
use mirrord_config::{EffectiveValue, LoadedConfig, effective, schema};
use mirrord_protocol::session_control::{Least, LeastKey, SessionAnswer};
use mirrord_rules::RuleSource;
use serde_json::{Value as Json, json};

use super::control::Answered;
use super::parts::Parts;
use super::refusal;
use crate::events::touched::Touched;

/// Keys that are derived from what was touched.
const DERIVED: &[&str] = &[
    "feature.fs.mode",
    "feature.fs.read_write",
    "feature.fs.read_only",
    "feature.fs.local",
    "feature.fs.not_found",
    "feature.network.outgoing.tcp",
    "feature.network.outgoing.udp",
    "feature.network.outgoing.filter",
    "feature.network.outgoing.unix_streams",
    "feature.network.incoming.mode",
    "feature.network.incoming.ports",
    "feature.network.incoming.ignore_ports",
];

/// What the session's configuration says that no event tells of: it stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    keys: Vec<LeastKey>,
    notes: Vec<String>,
}

/// What the configuration is made from.
pub struct Basis {
    touched: Option<Touched>,
    source: RuleSource,
    kept: Kept,
    target: String,
}

impl Parts {
    /// What the least configuration is made from.
    pub fn least_basis(&self) -> Basis {
        Basis {
            touched: self.board.events.touched(),
            source: self.rules.source().clone(),
            kept: self.kept.clone(),
            target: self.target.to_string(),
        }
    }
}

impl Kept {
    /// Of a configuration. What may be a secret is left out, and told.
    pub fn of(config: &LoadedConfig) -> Self {
        let mut kept = Kept::default();
        for value in effective(&config.config, &config.unserved) {
            let name = value.path.join(".");
            let path: Vec<&str> = value.path.iter().map(String::as_str).collect();
            let is_key = schema::find(&path).is_some();
            let counts = value.status == Status::Served && value.origin != Origin::Default;
            if is_key && counts && !name.starts_with("target.") && !DERIVED.contains(&&*name) {
                kept.take(&name, value);
            }
        }
        kept
    }

    fn take(&mut self, name: &str, value: EffectiveValue) {
        if value.redacted {
            self.notes.push(format!(
                "values of `{name}` ({}) that may be secrets are left out; give them by the \
                 environment or a file that is not shared",
                value.origin
            ));
        }
        let shown = match value.redacted {
            true => without_secrets(value.value),
            false => Some(value.value),
        };
        let Some(shown) = shown else { return };
        self.keys.push(LeastKey {
            path: value.path,
            value: shown,
            why: format!(
                "as in the session (from {}); no event tells whether it is needed",
                value.origin
            ),
            items: Vec::new(),
            in_file: matches!(value.origin, Origin::File(_) | Origin::Template(_)),
        });
    }
}

/// The rest of a value of which something is not shown.
fn without_secrets(value: Json) -> Option<Json> {
    let is_hidden = |value: &Json| value == effective::REDACTED;
    match value {
        Json::Object(map) => {
            let rest = map.into_iter().filter(|(_, value)| !is_hidden(value));
            let rest: serde_json::Map<_, _> = rest.collect();
            (!rest.is_empty()).then_some(Json::Object(rest))
        }
        Json::Array(list) => {
            let rest: Vec<Json> = list.into_iter().filter(|value| !is_hidden(value)).collect();
            (!rest.is_empty()).then_some(Json::Array(rest))
        }
        _ => None,
    }
}

/// Makes it.
pub fn answer(basis: Basis) -> Answered {
    if basis.touched.is_none() {
        let error = refusal::plain(
            "request",
            "this session does not take note of what its programs touch",
        );
        let help = "run it with `exec --events FILE`, or launch it from an editor";
        return Err(refusal::with_help(error, help));
    }
    match least(basis) {
        Ok(least) => Ok(SessionAnswer::Least(least)),
        Err(error) => Err(refusal::of("internal", &error)),
    }
}

fn least(basis: Basis) -> Result<Least> {
    let Basis {
        touched,
        source,
        kept,
        target,
    } = basis;
    let touched = touched.unwrap_or_default();
    let mut least = Least {
        keys: vec![LeastKey {
            path: vec!["target".to_owned()],
            value: json!(target),
            why: "the session's target".to_owned(),
            items: Vec::new(),
            in_file: false,
        }],
        notes: kept.notes,
    };
    files::add(&touched, &source, &mut least)?;
    network::add_outgoing(&touched, &source, &mut least)?;
    network::add_incoming(&touched, &mut least);
    least.keys.extend(kept.keys);
    if touched.missing > 0 {
        least.notes.push(format!(
            "{} events are missing: what they would have told is not in this configuration",
            touched.missing
        ));
    }
    let unknown = "which variables the programs read is not known, so the environment is as it was \
                   in the session";
    least.notes.push(unknown.to_owned());
    Ok(least)
}

/// A key of the result.
fn key(path: &str, value: Json, why: impl Into<String>) -> LeastKey {
    LeastKey {
        path: path.split('.').map(str::to_owned).collect(),
        value,
        why: why.into(),
        items: Vec::new(),
        in_file: false,
    }
}

#[cfg(test)]
mod tests;
