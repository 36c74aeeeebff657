//! The forms that an agent can have in a cluster, from the one that can do most.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How an agent is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Form {
    /// A Job on the target's node, outside the target's pod.
    Job,
    /// An ephemeral container in the target's pod, with capabilities of its own.
    Ephemeral,
    /// An ephemeral container in the target's pod with the target's own user and rights: it takes
    /// no incoming traffic.
    Restricted,
    /// A pod of its own, for programs without a target.
    Targetless,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 4] = [
        Form::Job,
        Form::Ephemeral,
        Form::Restricted,
        Form::Targetless,
    ];

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Form::Job => "job",
            Form::Ephemeral => "ephemeral",
            Form::Restricted => "restricted",
            Form::Targetless => "targetless",
        }
    }

    /// The form with this word.
    pub fn named(name: &str) -> Option<Form> {
        Form::ALL.into_iter().find(|form| form.name() == name)
    }

    /// Whether it is a container in the target's own pod.
    pub fn is_in_the_targets_pod(self) -> bool {
        matches!(self, Form::Ephemeral | Form::Restricted)
    }
}

/// In a sentence.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Job => "a Job on the target's node",
            Form::Ephemeral => "an ephemeral container in the target's pod",
            Form::Restricted => "an ephemeral container with no more rights than the target",
            Form::Targetless => "a pod of its own",
        })
    }
}
