//! The targets of a cluster as rows of the list.

use mirrord_kubernetes::{Kind, Listed, Row};

use super::TargetRow;

/// A part that could not be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// A kind, or `cluster`.
    pub scope: String,
    /// Why.
    pub message: String,
}

/// Which kinds of targets are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Types {
    /// `None`: all of this machine.
    pub local: Option<Vec<String>>,
    /// `None`: all of the cluster.
    pub cluster: Option<Vec<Kind>>,
    /// Words that are no kind of target.
    pub unknown: Vec<String>,
    /// Something was asked for by name.
    pub named: bool,
}

impl Types {
    /// Sorts the words.
    pub fn of(words: Option<&[String]>) -> Types {
        let Some(words) = words else {
            return Types::default();
        };
        let mut types = Types {
            local: Some(Vec::new()),
            cluster: Some(Vec::new()),
            unknown: Vec::new(),
            named: true,
        };
        for word in words {
            if mirrord_target::LOCAL_KINDS.contains(&word.as_str()) {
                types.local.get_or_insert_default().push(word.clone());
            } else if let Some(kind) = Kind::named(word) {
                types.cluster.get_or_insert_default().push(kind);
            } else {
                types.unknown.push(word.clone());
            }
        }
        types
    }

    /// Whether the cluster is asked for anything.
    pub fn wants_cluster(&self) -> bool {
        self.cluster.as_ref().is_none_or(|kinds| !kinds.is_empty())
    }

    /// Whether the cluster is asked for by name, so that its absence is worth a word.
    pub fn names_cluster(&self) -> bool {
        self.named && self.wants_cluster()
    }

    /// What to say of words that are no kind.
    pub fn problems(&self) -> Vec<Problem> {
        let problem = |word: &String| Problem {
            scope: word.clone(),
            message: format!(
                "`{word}` is no kind of target: there are {}, {}",
                mirrord_target::LOCAL_KINDS.join(", "),
                Kind::ALL
                    .into_iter()
                    .filter(|kind| *kind != Kind::Label)
                    .map(Kind::name)
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        self.unknown.iter().map(problem).collect()
    }
}

/// A part of a cluster's answer.
pub fn part(listed: Listed) -> Result<Vec<TargetRow>, Problem> {
    match listed {
        Listed::Rows(rows) => Ok(rows.into_iter().map(row).collect()),
        Listed::Problem { kind, error } => Err(problem(kind, &error)),
    }
}

/// What could not be had of a cluster.
pub fn problem(kind: Option<Kind>, error: &mirrord_kubernetes::Error) -> Problem {
    Problem {
        scope: kind.map_or("cluster", Kind::name).to_owned(),
        message: error.to_string(),
    }
}

/// A row.
pub fn row(row: Row) -> TargetRow {
    TargetRow {
        path: row.path(),
        kind: row.kind.name(),
        name: row.name,
        namespace: Some(row.namespace),
        containers: row.containers,
        ports: row.ports,
        pods: row.pods.map(|pods| super::Pods {
            ready: pods.ready,
            wanted: pods.wanted,
        }),
        ready: row.ready,
        reason: row.reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_sorted_into_this_machine_the_cluster_and_nonsense() {
        let all = Types::of(None);
        assert!(all.wants_cluster() && !all.names_cluster());
        let words = ["sandbox", "deploy", "pod", "pods"].map(str::to_owned);
        let types = Types::of(Some(&words));
        assert_eq!(types.local, Some(vec!["sandbox".to_owned()]));
        assert_eq!(types.cluster, Some(vec![Kind::Deployment, Kind::Pod]));
        assert_eq!(types.problems()[0].scope, "pods");
        let local = Types::of(Some(&words[..1]));
        assert!(!local.wants_cluster());
    }
}
