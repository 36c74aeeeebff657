//! What a program can be run in, as users write it: `sandbox/NAME`, `process/PID`, `container/NAME`.

use std::fmt;
use std::str::FromStr;

/// A target's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A process on this machine; its namespaces, files and environment are the pod's.
    Process(i32),
    /// A sandbox pod of this user.
    Sandbox(String),
    /// A container of this machine's Docker or Podman: its name, or the beginning of its id.
    Container(String),
    /// A container in a cluster.
    Kubernetes(mirrord_kubernetes::Target),
}

/// Why a target's name could not be understood.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// `process/…` without a number.
    #[error("{0:?} is not a process id; write process/PID, for example process/4242")]
    NotAPid(String),
    /// `container/` alone.
    #[error("a container has a name; write container/NAME, for example container/web")]
    NoContainer,
    /// A kind that Kubernetes has, and something wrong with the rest.
    #[error("{0}")]
    Kubernetes(String),
    /// mirrord's word for an agent without a target.
    #[error("an agent without a target (`targetless`) is not served yet; name a target")]
    Targetless,
    /// Anything else.
    #[error(
        "{0:?} is not a target; write sandbox/NAME, process/PID or container/NAME (see \
         `mirrord-server targets`), or as in mirrord pod/NAME, deployment/NAME, …"
    )]
    Unknown(String),
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (kind, name) = text.split_once('/').unwrap_or((text, ""));
        match kind {
            "process" => match name.parse() {
                Ok(pid) if pid > 0 => Ok(Target::Process(pid)),
                _ => Err(TargetError::NotAPid(name.to_owned())),
            },
            "sandbox" => {
                let name = if name.is_empty() { "default" } else { name };
                Ok(Target::Sandbox(name.to_owned()))
            }
            "container" if name.is_empty() => Err(TargetError::NoContainer),
            "container" => Ok(Target::Container(name.to_owned())),
            "targetless" => Err(TargetError::Targetless),
            kind if mirrord_kubernetes::Kind::named(kind).is_some() => {
                mirrord_kubernetes::Target::parse(text)
                    .map(Target::Kubernetes)
                    .map_err(TargetError::Kubernetes)
            }
            _ => Err(TargetError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Process(pid) => write!(f, "process/{pid}"),
            Target::Sandbox(name) => write!(f, "sandbox/{name}"),
            Target::Container(name) => write!(f, "container/{name}"),
            Target::Kubernetes(target) => target.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_back() {
        for text in [
            "process/1",
            "sandbox/web",
            "container/db",
            "pod/web/container/app",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!("sandbox".parse(), Ok(Target::Sandbox("default".into())));
    }

    #[test]
    fn wrong_names_say_what_to_write() {
        for (text, words) in [
            ("process/x", "process/PID"),
            ("process/-1", "process/PID"),
            ("pod/web/app", "KIND/NAME/container/NAME"),
            ("targetless", "not served yet"),
            ("web", "sandbox/NAME"),
            ("container", "container/NAME"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
