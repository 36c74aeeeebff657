//! Two raw configurations become the operations that lead from one to the other.
//!
//! The planner works on a copy from which our own earlier changes were taken out, so a launch that
//! was planned before comes out the same, whatever session it is for.

use mirrord_editor_protocol::launch::PatchOperation;
use serde_json::{Map, Value};

/// Operations that turn `from` into `to`. Objects are compared by their members one level deep,
/// so that a user's variable is never part of an operation on ours.
pub(crate) fn between(from: &Map<String, Value>, to: &Map<String, Value>) -> Vec<PatchOperation> {
    let mut operations = Vec::new();
    members(&[], from, to, &mut operations);
    operations
}

fn members(
    place: &[&str],
    from: &Map<String, Value>,
    to: &Map<String, Value>,
    operations: &mut Vec<PatchOperation>,
) {
    let path = |name: &str| pointer(&[place, &[name]].concat());
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        operations.push(PatchOperation::Remove { path: path(name) });
    }
    for (name, new) in to {
        match (from.get(name), new) {
            (Some(old), new) if old == new => {}
            (Some(Value::Object(old)), Value::Object(new)) if place.is_empty() => {
                members(&[name], old, new, operations);
            }
            _ => operations.push(PatchOperation::Add {
                path: path(name),
                value: new.clone(),
            }),
        }
    }
}

/// A path of RFC 6901 from member names.
fn pointer(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1")))
        .collect()
}
