//! What goes wrong with a cluster, with what to do next.

mod words;

use kube::config::ExecConfig;

use crate::Form;

/// Why something in the cluster could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No kubeconfig, and we are in no pod.
    #[error("no cluster is configured: {0} (`kubeconfig` or KUBECONFIG names one)")]
    NoCluster(String),
    /// What says how to reach the cluster cannot be used.
    #[error("could not find out how to reach the cluster: {0}")]
    Access(String),
    /// The helper that logs in (an exec plugin of the kubeconfig) is missing or fails.
    #[error("could not log in to the cluster with {command}: {words}")]
    Helper {
        /// Its name.
        command: String,
        /// What is wrong.
        words: String,
    },
    /// The API server refused or could not be asked.
    #[error("could not {what}: {}", words::explain(.answer))]
    Api {
        /// What was tried: `list pods in shop`.
        what: String,
        /// Its answer. It is in our words already, so that it is no `source`.
        answer: Box<kube::Error>,
    },
    /// The target cannot be used as it is, or has nothing that runs.
    #[error("{0}")]
    Target(String),
    /// There is no such target.
    #[error("{0}")]
    NoTarget(String),
    /// No form of agent can be had; each with the reason. Nothing was created.
    #[error("no agent can be started for it, and nothing was created: {}", reasons(.0))]
    NoForm(Vec<(Form, String)>),
    /// The agent did not come up; the cluster's own words.
    #[error("the agent could not start in {namespace}: {words}")]
    Start {
        /// Where.
        namespace: String,
        /// What the cluster says.
        words: String,
    },
    /// Nothing was heard from the cluster in time.
    #[error("{what} took longer than {seconds} s; the last thing the cluster said: {last}")]
    Slow {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// The agent pod's state.
        last: String,
    },
    /// Nobody waits for it any more.
    #[error("the start was given up")]
    GivenUp,
    /// A local socket failed.
    #[error("could not {what}: {source}")]
    Local {
        /// What was tried.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// What a failure means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nothing says how to reach a cluster.
    NoCluster,
    /// The cluster is not reached: its configuration, its network, or who we are.
    Unreached,
    /// The user may not do this.
    Forbidden,
    /// What was asked for is not there.
    Missing,
    /// Anything else.
    Other,
}

impl Error {
    pub(crate) fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Error {
        let what = what.into();
        move |answer| Error::Api {
            what,
            answer: Box::new(answer),
        }
    }

    /// Whether it would be the same again however often it is tried: our rights, or what we are.
    pub fn is_lasting(&self) -> bool {
        match self {
            Error::Access(_) | Error::NoCluster(_) | Error::GivenUp => true,
            Error::Api { answer, .. } => {
                matches!(status(answer), Some(401 | 403 | 405 | 422))
            }
            // Who logs in again is let in again.
            Error::Helper { .. }
            | Error::Target(_)
            | Error::NoTarget(_)
            | Error::NoForm(_)
            | Error::Start { .. }
            | Error::Slow { .. }
            | Error::Local { .. } => false,
        }
    }

    /// Whether the cluster itself was not reached, or was not well enough to answer.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(self, Error::Api { answer, .. } if status(answer).is_none_or(|code| code >= 500))
    }

    /// Whether the cluster understood, and does not want it.
    pub(crate) fn is_refusal(&self) -> bool {
        // Too many requests, and trouble of the cluster's own, are no answer; but a webhook that
        // must be asked and cannot be is such trouble too, and lasts.
        let code = self.status();
        code.is_some_and(|code| (400..500).contains(&code) && code != 429)
            || code == Some(500) && self.to_string().contains("failed calling webhook")
    }

    /// What failed before the cluster was asked anything; `helper` may have been at work.
    pub(crate) fn at_login(error: &kube::Error, helper: Option<&ExecConfig>) -> Error {
        let words = words::explain(error);
        match helper {
            Some(helper) => Error::Helper {
                command: helper.command.clone().unwrap_or_default(),
                words,
            },
            None => Error::Access(words),
        }
    }

    /// Whether the object asked for is not there.
    pub(crate) fn is_missing(&self) -> bool {
        self.status() == Some(404)
    }

    /// The API server's status code, when it answered with one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Error::Api { answer, .. } => status(answer),
            _ => None,
        }
    }

    /// What it means for whoever asked.
    pub fn class(&self) -> Class {
        match self {
            Error::NoCluster(_) => Class::NoCluster,
            Error::Access(_) | Error::Helper { .. } => Class::Unreached,
            Error::Target(_) | Error::NoTarget(_) => Class::Missing,
            Error::Api { answer, .. } => match (self.status(), &**answer) {
                (Some(403), _) => Class::Forbidden,
                (Some(404), _) => Class::Missing,
                (Some(401), _) | (None, kube::Error::Service(_) | kube::Error::HyperError(_)) => {
                    Class::Unreached
                }
                (None, kube::Error::Auth(_)) => Class::Unreached,
                _ => Class::Other,
            },
            _ => Class::Other,
        }
    }
}

fn reasons(refused: &[(Form, String)]) -> String {
    let reasons = refused
        .iter()
        .map(|(form, why)| format!("as {form}: {why}"));
    reasons.collect::<Vec<_>>().join("; ")
}

fn status(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(answer) => Some(answer.code),
        _ => None,
    }
}
