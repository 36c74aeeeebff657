//! Names of targets, as users write them on the command line, in configurations and in editors:
//! `sandbox/default`, `process/4242`, `container/db`, `deployment/web/container/app`.
//!
//! Pure: what a name means now is asked elsewhere, of this machine or of a cluster.

#![forbid(unsafe_code)]

mod cluster;
mod names;

use std::fmt;
use std::str::FromStr;

pub use cluster::{ClusterTarget, Kind};
pub use names::{is_kubernetes_name, wrong_name, wrong_selector};

/// What a program can be run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An agent in the cluster without a target.
    Targetless,
    /// A process of this machine; its namespaces, files and environment are the pod's.
    Process(i32),
    /// A sandbox pod of this user.
    Sandbox(String),
    /// A container of this machine's Docker or Podman: its name, or the beginning of its id.
    Container(String),
    /// A container in a cluster.
    Kubernetes(ClusterTarget),
}

/// The words before the slash of targets on this machine.
pub const LOCAL_KINDS: [&str; 3] = ["sandbox", "process", "container"];

/// Why a target's name could not be understood: what is wrong, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(String);

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let (kind, name) = text.split_once('/').unwrap_or((text, ""));
        match kind {
            "targetless" if name.is_empty() => Ok(Target::Targetless),
            "process" => match name.parse() {
                Ok(pid) if pid > 0 => Ok(Target::Process(pid)),
                _ => Err(TargetError(format!(
                    "`{name}` is not a process id: write process/PID, for example process/4242"
                ))),
            },
            "sandbox" => {
                let name = if name.is_empty() { "default" } else { name };
                Ok(Target::Sandbox(name.to_owned()))
            }
            "container" if name.is_empty() => Err(TargetError(
                "a container has a name: write container/NAME, for example container/db".into(),
            )),
            "container" => Ok(Target::Container(name.to_owned())),
            kind if Kind::named(kind).is_some() => {
                ClusterTarget::parse(text).map(Target::Kubernetes)
            }
            _ => Err(TargetError(format!(
                "`{text}` is not a target: write sandbox/NAME, process/PID or container/NAME (see \
                 `mirrord-server targets`), or as in mirrord pod/NAME[/container/NAME], \
                 deployment/NAME, …"
            ))),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Targetless => f.write_str("targetless"),
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
            "targetless",
            "process/1",
            "sandbox/web",
            "container/db",
            "pod/web",
            "pod/web/container/app",
            "cronjob/backup",
            "label/app=web,tier=front",
            "label/app.kubernetes.io/name=web,b=c/container/app",
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        assert_eq!("sandbox".parse(), Ok(Target::Sandbox("default".into())));
        let short: Target = "deploy/web".parse().unwrap();
        assert_eq!(short.to_string(), "deployment/web");
    }

    #[test]
    fn wrong_names_say_what_to_write() {
        for (text, words) in [
            ("", "sandbox/NAME"),
            ("web", "sandbox/NAME"),
            ("targetless/x", "sandbox/NAME"),
            ("secret/web", "is not a target"),
            ("process/x", "process/PID"),
            ("process/0", "process/PID"),
            ("process/-1", "process/PID"),
            ("process/99999999999", "process/PID"),
            ("container", "container/NAME"),
            ("pod", "pod/NAME[/container/NAME]"),
            ("pod/", "pod/NAME[/container/NAME]"),
            ("pod/web/app", "pod/NAME[/container/NAME]"),
            ("pod/web/container/", "pod/NAME[/container/NAME]"),
            ("pod/My_Pod", "`My_Pod` is no name in Kubernetes"),
            ("pod/web/container/App", "`App` is no name in Kubernetes"),
            ("label/app", "`app` is not a label"),
            (
                "label/app=web/tier",
                "`web/tier` is not the value of a label",
            ),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
