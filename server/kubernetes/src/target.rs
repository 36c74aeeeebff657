//! A target's name in a cluster, as users write it: `deployment/web`, `pod/web-1/container/app`.

use std::fmt;

/// What a target's name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One pod.
    Pod,
    /// A pod of a Deployment.
    Deployment,
    /// A pod of a StatefulSet.
    StatefulSet,
    /// A pod of a DaemonSet.
    DaemonSet,
    /// A pod of a ReplicaSet.
    ReplicaSet,
    /// A pod of a Job.
    Job,
    /// A pod of the CronJob's Job that runs now.
    CronJob,
    /// A pod that a Service chooses.
    Service,
    /// A pod of an Argo Rollout.
    Rollout,
    /// A pod with these labels: `app=web,tier=front`.
    Label,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 10] = [
        Kind::Pod,
        Kind::Deployment,
        Kind::StatefulSet,
        Kind::DaemonSet,
        Kind::ReplicaSet,
        Kind::Job,
        Kind::CronJob,
        Kind::Service,
        Kind::Rollout,
        Kind::Label,
    ];

    /// As it is written before the slash.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Pod => "pod",
            Kind::Deployment => "deployment",
            Kind::StatefulSet => "statefulset",
            Kind::DaemonSet => "daemonset",
            Kind::ReplicaSet => "replicaset",
            Kind::Job => "job",
            Kind::CronJob => "cronjob",
            Kind::Service => "service",
            Kind::Rollout => "rollout",
            Kind::Label => "label",
        }
    }

    /// The kind of a written name; `deploy` is mirrord's short form.
    pub fn named(name: &str) -> Option<Kind> {
        if name == "deploy" {
            return Some(Kind::Deployment);
        }
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A target in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What the name is of.
    pub kind: Kind,
    /// The object's name; for labels, the selector.
    pub name: String,
    /// The container; without one, the pod's main container.
    pub container: Option<String>,
}

impl Target {
    /// Reads `KIND/NAME` and `KIND/NAME/container/NAME`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Target, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, name, container) = match parts[..] {
            [kind, name] => (kind, name, None),
            [kind, name, "container", container] => (kind, name, Some(container)),
            // The keys and values of labels may have slashes: `label/app.kubernetes.io/name=web`.
            ["label", ..] => return Ok(labels(&parts[1..])),
            _ => {
                return Err(format!(
                    "{text:?} is no target in a cluster; write KIND/NAME or \
                     KIND/NAME/container/NAME, for example deployment/web/container/app"
                ));
            }
        };
        let kind = Kind::named(kind).ok_or_else(|| format!("{kind:?} is no kind of target"))?;
        if name.is_empty() || container == Some("") {
            return Err(format!("{text:?} has an empty name"));
        }
        Ok(Target {
            kind,
            name: name.to_owned(),
            container: container.map(str::to_owned),
        })
    }
}

fn labels(parts: &[&str]) -> Target {
    let (selector, container) = match parts {
        [selector @ .., "container", name] if !selector.is_empty() => {
            (selector, Some((*name).to_owned()))
        }
        selector => (selector, None),
    };
    Target {
        kind: Kind::Label,
        name: selector.join("/"),
        container,
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.name)?;
        match &self.container {
            Some(container) => write!(f, "/container/{container}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_back() {
        for text in [
            "pod/web-1",
            "deployment/web/container/app",
            "cronjob/backup",
            "label/app=web,tier=front",
            "label/app.kubernetes.io/name=web/container/app",
        ] {
            assert_eq!(Target::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Target::parse("deploy/web").unwrap().to_string(),
            "deployment/web"
        );
        let labels = Target::parse("label/app.kubernetes.io/name=web/container/app").unwrap();
        assert_eq!(labels.name, "app.kubernetes.io/name=web");
        assert_eq!(labels.container.as_deref(), Some("app"));
    }

    #[test]
    fn other_texts_are_refused_with_words() {
        for (text, words) in [
            ("pod/", "empty name"),
            ("pod/web/container/", "empty name"),
            ("pod/web/app", "KIND/NAME/container/NAME"),
            ("secret/web", "no kind"),
        ] {
            let error = Target::parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
