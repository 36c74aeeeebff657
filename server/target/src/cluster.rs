//! Targets in a cluster: `KIND/NAME` and `KIND/NAME/container/NAME`.

use std::fmt;

use crate::TargetError;
use crate::names::{is_kubernetes_name, wrong_name, wrong_selector};

/// What a target's name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A target in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClusterTarget {
    /// What the name is of.
    pub kind: Kind,
    /// The object's name; for labels, the selector.
    pub name: String,
    /// The container; without one, the pod's main container.
    pub container: Option<String>,
}

impl ClusterTarget {
    /// Reads `KIND/NAME` and `KIND/NAME/container/NAME`.
    ///
    /// # Errors
    /// What is wrong with the text, and what to write.
    pub fn parse(text: &str) -> Result<ClusterTarget, TargetError> {
        let wrong = |message: String| Err(TargetError(message));
        let (word, rest) = text.split_once('/').unwrap_or((text, ""));
        let Some(kind) = Kind::named(word) else {
            return wrong(format!("`{word}` is no kind of target in a cluster"));
        };
        let (name, container) = match rest.split_once("/container/") {
            Some((name, container)) => (name, Some(container)),
            None => (rest, None),
        };
        // A label's key may have a prefix (`app.kubernetes.io/name=x`).
        let good = |part: &str| !part.is_empty() && (kind == Kind::Label || !part.contains('/'));
        if !good(name) || container.is_some_and(|container| !good(container)) {
            return wrong(format!(
                "`{text}` is not a target: write {kind}/NAME[/container/NAME]"
            ));
        }
        if kind == Kind::Label {
            if let Some(message) = wrong_selector(name) {
                return wrong(message);
            }
        } else if !is_kubernetes_name(name) {
            return wrong(wrong_name(name));
        }
        if let Some(container) = container.filter(|container| !is_kubernetes_name(container)) {
            return wrong(wrong_name(container));
        }
        Ok(ClusterTarget {
            kind,
            name: name.to_owned(),
            container: container.map(str::to_owned),
        })
    }

    /// The same without its container: `deployment/web`.
    pub fn workload(&self) -> ClusterTarget {
        ClusterTarget {
            container: None,
            ..self.clone()
        }
    }
}

impl fmt::Display for ClusterTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)?;
        match &self.container {
            Some(container) => write!(f, "/container/{container}"),
            None => Ok(()),
        }
    }
}
