//! What the configuration comes to: every key with its value and where that comes from. Values
//! that may be secret are not shown.

mod secret;

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::config::Config;
use crate::group::{Group, KeyInfo, Status};
use crate::reader::Kind;
use crate::schema;
use crate::setting::{Origin, Setting};

pub use secret::REDACTED;

/// A key that is recognised and not served, as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Unserved {
    /// `agent`
    pub path: String,
    /// What was written.
    pub value: Json,
    /// Where.
    pub origin: Origin,
    /// What we do with it.
    pub status: Status,
}

/// A value of the whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct EffectiveValue {
    /// `feature.fs.mode`; the values inside lists and maps have their number or name behind that.
    pub path: Vec<String>,
    /// The value; secrets are replaced by [`REDACTED`].
    pub value: Json,
    /// Where it comes from, with its place when that is a file.
    pub origin: Origin,
    /// What we do with it.
    pub status: Status,
    /// Something in the value is not shown.
    pub redacted: bool,
}

/// Every key with its value, in the order of the documentation, and the values inside lists and
/// maps behind theirs. Keys that are not served stand there when somebody gave them.
pub fn effective(config: &Config, unserved: &[Unserved]) -> Vec<EffectiveValue> {
    let mut visitor = Visitor::default();
    config.visit(&mut visitor);
    let mut values = visitor.values;
    values.extend(unserved.iter().map(shown));
    let mut order = HashMap::new();
    number(schema::keys(), &mut Vec::new(), &mut order);
    // Stable: what lies inside a list stays behind it.
    values.sort_by_cached_key(|value| {
        let known = |length: usize| order.get(&value.path[..length]).copied();
        (1..=value.path.len()).rev().find_map(known)
    });
    values
}

/// The value of one key, without looking at the others.
pub fn effective_at(
    config: &Config,
    unserved: &[Unserved],
    path: &[&str],
) -> Option<EffectiveValue> {
    let mut visitor = Visitor {
        wanted: Some(path.iter().map(|key| (*key).to_owned()).collect()),
        ..Visitor::default()
    };
    config.visit(&mut visitor);
    let served = visitor.values.into_iter().next();
    let asked = path.join(".");
    served.or_else(|| {
        let unserved = unserved.iter().find(|unserved| unserved.path == asked);
        unserved.map(shown)
    })
}

fn shown(unserved: &Unserved) -> EffectiveValue {
    let value = secret::redacted(&unserved.path, &unserved.value);
    EffectiveValue {
        path: unserved.path.split('.').map(str::to_owned).collect(),
        redacted: value != unserved.value,
        value,
        origin: unserved.origin.clone(),
        status: unserved.status,
    }
}

fn number(keys: &[KeyInfo], path: &mut Vec<String>, order: &mut HashMap<Vec<String>, usize>) {
    for key in keys {
        path.push(key.name.to_owned());
        order.insert(path.clone(), order.len());
        if let Some(children) = &key.children {
            number(children, path, order);
        }
        path.pop();
    }
}

/// Collects settings while it is led through the groups.
#[derive(Debug, Default)]
pub struct Visitor {
    path: Vec<String>,
    values: Vec<EffectiveValue>,
    /// Only this key, and nothing inside its value.
    wanted: Option<Vec<String>>,
}

impl Visitor {
    pub(crate) fn setting<T: Kind>(&mut self, key: &str, setting: &Setting<T>) {
        self.path.push(key.to_owned());
        if let Some(wanted) = &self.wanted {
            if *wanted == self.path {
                self.add(&setting.value.to_json(), &setting.origin);
            }
            self.path.pop();
            return;
        }
        self.add(&setting.value.to_json(), &setting.origin);
        for part in setting.value.parts() {
            self.path.push(part.name);
            self.add(&part.value, &part.origin);
            self.path.pop();
        }
        self.path.pop();
    }

    pub(crate) fn group<T: Group>(&mut self, key: &str, group: &T) {
        self.path.push(key.to_owned());
        group.visit(self);
        self.path.pop();
    }

    fn add(&mut self, value: &Json, origin: &Origin) {
        let shown = secret::redacted(&self.path.join("."), value);
        self.values.push(EffectiveValue {
            path: self.path.clone(),
            redacted: shown != *value,
            value: shown,
            origin: origin.clone(),
            status: Status::Served,
        });
    }
}
