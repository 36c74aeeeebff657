//! The rights that a session needs in the cluster, each with what it is for. The preflight asks the
//! cluster for these, and `rbac` prints them: one table, so that they cannot differ.

use std::fmt::Write as _;

use crate::{Form, Kind};

/// One right: to do this with these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Right {
    /// API group; the core's is empty.
    pub group: &'static str,
    /// `pods`, or `pods/log`.
    pub resource: &'static str,
    /// `get`, …
    pub verb: &'static str,
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)
    }
}

const fn right(group: &'static str, resource: &'static str, verb: &'static str) -> Right {
    Right {
        group,
        resource,
        verb,
    }
}

/// Finding a target's pod.
const PODS: [Right; 2] = [right("", "pods", "get"), right("", "pods", "list")];

/// Following an agent's pod and reaching the agent.
const AGENT: [Right; 6] = [
    right("", "pods", "get"),
    right("", "pods", "list"),
    right("", "pods", "watch"),
    // The agent's key comes with its log.
    right("", "pods/log", "get"),
    // A WebSocket begins with GET; newer clusters ask for `create` too, as for kubectl's POST
    // (the feature AuthorizePodWebsocketUpgradeCreatePermission, Kubernetes 1.35).
    right("", "pods/portforward", "get"),
    right("", "pods/portforward", "create"),
];

/// An agent in a pod of its own.
const JOB: [Right; 4] = [
    right("batch", "jobs", "create"),
    right("batch", "jobs", "delete"),
    // Pods that are refused (quota, pod security, webhooks) are only told of by events.
    right("", "events", "list"),
    right("", "events", "watch"),
];

/// An agent in the target's pod.
const EPHEMERAL: [Right; 1] = [right("", "pods/ephemeralcontainers", "patch")];

/// Sees beforehand which pods a namespace takes. Without it that is found by trying.
const PREFLIGHT: [Right; 1] = [right("", "namespaces", "get")];

/// What an agent of this form takes in the namespace that it runs in. Nothing can be left out.
pub fn of_agent(form: Form) -> Vec<Right> {
    let more: &[Right] = match form {
        Form::Job | Form::Targetless => &JOB,
        Form::Ephemeral | Form::Restricted => &EPHEMERAL,
    };
    AGENT.iter().chain(more).copied().collect()
}

/// What finding a target of this kind takes in the target's namespace.
pub fn of_target(kind: Kind) -> Vec<Right> {
    let reads = |group, resource| vec![right(group, resource, "get")];
    let more = match kind {
        Kind::Pod | Kind::Label => Vec::new(),
        Kind::Deployment => reads("apps", "deployments"),
        Kind::StatefulSet => reads("apps", "statefulsets"),
        Kind::DaemonSet => reads("apps", "daemonsets"),
        Kind::ReplicaSet => reads("apps", "replicasets"),
        Kind::Job => reads("batch", "jobs"),
        Kind::CronJob => [reads("batch", "cronjobs"), reads("batch", "jobs")].concat(),
        Kind::Service => reads("", "services"),
        // One may lead to a Deployment.
        Kind::Rollout => [
            reads("argoproj.io", "rollouts"),
            reads("apps", "deployments"),
        ]
        .concat(),
    };
    PODS.iter().copied().chain(more).collect()
}

/// What following the pods of a workload takes beside, in the target's namespace, for sessions that
/// cover all of them. Without it they are listed again and again.
const REPLICAS: [Right; 1] = [right("", "pods", "watch")];

/// What a Role is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// The Role's name.
    pub name: String,
    /// Its namespace; without one, a ClusterRole for all of them.
    pub namespace: Option<String>,
    /// How agents may be started.
    pub forms: Vec<Form>,
    /// The kinds of targets.
    pub kinds: Vec<Kind>,
    /// Sessions may cover every pod of a workload (`agent.replicas: all`).
    pub replicas: bool,
}

/// The least Role for that, as YAML that `kubectl apply` takes.
pub fn role(purpose: &Purpose) -> String {
    let agents = purpose.forms.iter().flat_map(|form| of_agent(*form));
    let targets = purpose.kinds.iter().flat_map(|kind| of_target(*kind));
    let replicas = REPLICAS.iter().copied().filter(|_| purpose.replicas);
    let mut rights: Vec<Right> = Vec::new();
    for right in agents.chain(targets).chain(replicas).chain(PREFLIGHT) {
        if !rights.contains(&right) {
            rights.push(right);
        }
    }
    let forms: Vec<&str> = purpose.forms.iter().map(|form| form.name()).collect();
    let kinds: Vec<&str> = purpose.kinds.iter().map(|kind| kind.name()).collect();
    let mut text = format!(
        "# What sessions of mirrord-server need.\n# Agents: {}. Targets: {}{}.\n",
        forms.join(", "),
        kinds.join(", "),
        if purpose.replicas {
            ", all their pods"
        } else {
            ""
        }
    );
    let (kind, metadata) = match &purpose.namespace {
        Some(namespace) => (
            "Role",
            format!("{{name: {}, namespace: {namespace}}}", purpose.name),
        ),
        None => ("ClusterRole", format!("{{name: {}}}", purpose.name)),
    };
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata: {metadata}\nrules:\n"
    );
    while let Some(Right {
        group, resource, ..
    }) = rights.first().copied()
    {
        let same = |right: &Right| right.group == group && right.resource == resource;
        let verbs = rights.iter().filter(|right| same(right));
        let verbs: Vec<&str> = verbs.map(|right| right.verb).collect();
        let _ = writeln!(
            text,
            "  - {{apiGroups: [{group:?}], resources: [{resource}], verbs: [{}]}}",
            verbs.join(", ")
        );
        rights.retain(|right| !same(right));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purpose(forms: &[Form], kinds: &[Kind]) -> Purpose {
        Purpose {
            name: "developer".into(),
            namespace: Some("shop".into()),
            forms: forms.into(),
            kinds: kinds.into(),
            replicas: false,
        }
    }

    #[test]
    fn a_role_has_what_its_forms_and_targets_need_and_nothing_else() {
        let text = role(&purpose(&[Form::Ephemeral], &[Kind::Deployment]));
        assert_eq!(
            text,
            "# What sessions of mirrord-server need.\n\
             # Agents: ephemeral. Targets: deployment.\n\
             apiVersion: rbac.authorization.k8s.io/v1\n\
             kind: Role\n\
             metadata: {name: developer, namespace: shop}\n\
             rules:\n  \
             - {apiGroups: [\"\"], resources: [pods], verbs: [get, list, watch]}\n  \
             - {apiGroups: [\"\"], resources: [pods/log], verbs: [get]}\n  \
             - {apiGroups: [\"\"], resources: [pods/portforward], verbs: [get, create]}\n  \
             - {apiGroups: [\"\"], resources: [pods/ephemeralcontainers], verbs: [patch]}\n  \
             - {apiGroups: [\"apps\"], resources: [deployments], verbs: [get]}\n  \
             - {apiGroups: [\"\"], resources: [namespaces], verbs: [get]}\n"
        );
        let job = role(&purpose(&[Form::Job], &[Kind::CronJob]));
        assert!(!job.contains("ephemeralcontainers"), "{job}");
        // One line for one resource.
        assert!(
            job.contains("resources: [jobs], verbs: [create, delete, get]"),
            "{job}"
        );
        let everywhere = Purpose {
            namespace: None,
            ..purpose(&[Form::Job], &[])
        };
        assert!(role(&everywhere).contains("kind: ClusterRole\nmetadata: {name: developer}"));
    }

    #[test]
    fn covering_every_pod_takes_a_watch_where_the_target_is() {
        let watches = "resources: [pods], verbs: [get, list, watch]";
        // The agents are elsewhere.
        let one = purpose(&[], &[Kind::Deployment]);
        assert!(!role(&one).contains(watches), "{}", role(&one));
        let all = role(&Purpose {
            replicas: true,
            ..one
        });
        assert!(all.contains(watches), "{all}");
        assert!(
            all.contains("Targets: deployment, all their pods."),
            "{all}"
        );
    }
}
