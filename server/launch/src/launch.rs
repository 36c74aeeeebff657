//! What a launch has to be given, and reading the launch that an editor sent.

use mirrord_editor_protocol::launch::Launch;
use serde_json::{Map, Value};

/// What the session gives to its processes. Absolute paths on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    /// The library to preload.
    pub layer: String,
    /// The session's hand-over socket.
    pub socket: String,
    /// The one-time token.
    pub token: String,
    /// Our executable, which stands in front of what a preload cannot reach.
    pub launcher: String,
    /// Variables that the launch must not have.
    pub unset: Vec<String>,
}

impl Injection {
    /// The words that stand in front of a program.
    pub(crate) fn prefix(&self) -> Vec<String> {
        vec![
            self.launcher.clone(),
            crate::LAUNCH_ROLE.to_owned(),
            self.socket.clone(),
        ]
    }
}

/// A field of the raw configuration.
pub(crate) fn field<'a>(launch: &'a Launch, name: &str) -> Option<&'a Value> {
    launch.raw.as_ref()?.get(name)
}

/// A text in the raw configuration.
pub(crate) fn text<'a>(launch: &'a Launch, name: &str) -> Option<&'a str> {
    field(launch, name)?.as_str()
}

/// The raw configuration, when it is an object.
pub(crate) fn object(launch: &Launch) -> Option<&Map<String, Value>> {
    launch.raw.as_ref()?.as_object()
}

/// The adapter's type: the raw one is what VS Code will act on. Without any it is a plain run.
pub(crate) fn adapter_type(launch: &Launch) -> &str {
    text(launch, "type")
        .or(launch.adapter.as_deref())
        .filter(|name| !name.is_empty())
        .unwrap_or("run")
}

/// Whether the program runs already and is only attached to.
pub(crate) fn attaches(launch: &Launch) -> bool {
    text(launch, "request") == Some("attach")
}
