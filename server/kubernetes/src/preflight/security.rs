//! Pod security: which pods a namespace takes
//! (<https://kubernetes.io/docs/concepts/security/pod-security-admission/>).

use std::collections::BTreeMap;

/// The label that says so.
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// How strict a namespace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Any pod.
    Privileged,
    /// No pod that sees its node.
    Baseline,
    /// Only pods of plain programs.
    Restricted,
}

impl Level {
    /// A namespace without the label may still be strict by the cluster's defaults or other
    /// admission; what that refuses is told when it is tried.
    pub(super) fn of(labels: &BTreeMap<String, String>) -> Level {
        match labels.get(ENFORCE).map(String::as_str) {
            Some("baseline") => Level::Baseline,
            Some("restricted") => Level::Restricted,
            _ => Level::Privileged,
        }
    }

    /// Why a pod that sees its node's processes is not taken.
    pub(super) fn refuses_node_pods(self, namespace: &str) -> String {
        let level = match self {
            Level::Privileged => "privileged",
            Level::Baseline => "baseline",
            Level::Restricted => "restricted",
        };
        format!(
            "the namespace {namespace} has the pod security `{level}`, which takes no pod that sees \
             its node's processes (agent.namespace names another one for it)"
        )
    }
}

/// Whether a refusal is pod security's: it would refuse any pod with such rights.
pub(super) fn is_of_pod_security(words: &str) -> bool {
    words.contains("violates PodSecurity")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_decides() {
        for (label, level) in [
            (Some("restricted"), Level::Restricted),
            (Some("baseline"), Level::Baseline),
            (Some("privileged"), Level::Privileged),
            (None, Level::Privileged),
        ] {
            let labels = label.map(|label| (ENFORCE.to_owned(), label.to_owned()));
            assert_eq!(Level::of(&labels.into_iter().collect()), level);
        }
    }
}
