//! What only the running daemon knows: the targets there are now, and what is in them.

/// A target that could be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveTarget {
    /// As it is written in a configuration: `pod/x`, `sandbox/default`.
    pub path: String,
    /// A few words about it: `2 pods, ready`.
    pub detail: Option<String>,
}

/// A port of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePort {
    /// Its number.
    pub port: u16,
    /// Its name or its container.
    pub detail: Option<String>,
}

/// How a target is just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetState {
    /// It, or the container that was named, is not there; the sentence for people.
    Missing(String),
    /// It is there.
    There {
        /// Why no program can be run in it now.
        reason: Option<String>,
    },
}

/// Values that change. Each answer is at once, from what is known; where nothing is known the
/// answer is empty and completion offers what the configuration's own keys say.
pub trait Live {
    /// Targets, in this namespace when one is given.
    fn targets(&self, _namespace: Option<&str>) -> Vec<LiveTarget> {
        Vec::new()
    }

    /// Namespaces of the cluster.
    fn namespaces(&self) -> Vec<String> {
        Vec::new()
    }

    /// Containers of a target.
    fn containers(&self, _target: &str, _namespace: Option<&str>) -> Vec<String> {
        Vec::new()
    }

    /// Ports of a target.
    fn ports(&self, _target: &str, _namespace: Option<&str>) -> Vec<LivePort> {
        Vec::new()
    }

    /// Names of a target's environment variables.
    fn env_names(&self, _target: &str, _namespace: Option<&str>) -> Vec<String> {
        Vec::new()
    }

    /// How a target is; none: not known (yet).
    fn target_state(&self, _target: &str, _namespace: Option<&str>) -> Option<TargetState> {
        None
    }

    /// Whether there may be more than the answers tell, so that the client asks again.
    fn is_complete(&self) -> bool {
        true
    }
}

/// Nothing is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct NotLive;

impl Live for NotLive {}
