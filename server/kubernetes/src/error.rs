//! What goes wrong with a cluster, with what to do next.

/// Why something in the cluster could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No usable kubeconfig, and we are in no pod.
    #[error("could not find out how to reach a cluster: {0}")]
    Access(String),
    /// The API server refused or could not be asked.
    #[error("could not {what}: {}", explain(.source))]
    Api {
        /// What was tried: `list pods in shop`.
        what: String,
        /// Its answer.
        source: Box<kube::Error>,
    },
    /// The target cannot be used as it is, or has nothing that runs.
    #[error("{0}")]
    Target(String),
    /// There is no such target.
    #[error("{0}")]
    NoTarget(String),
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

impl Error {
    pub(crate) fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Error {
        let what = what.into();
        move |source| Error::Api {
            what,
            source: Box::new(source),
        }
    }

    /// Whether it would be the same again however often it is tried: our rights, or what we are.
    pub fn is_lasting(&self) -> bool {
        match self {
            Error::Access(_) | Error::GivenUp => true,
            Error::Api { source, .. } => {
                matches!(status(source), Some(401 | 403 | 405 | 422))
            }
            Error::Target(_)
            | Error::NoTarget(_)
            | Error::Start { .. }
            | Error::Slow { .. }
            | Error::Local { .. } => false,
        }
    }

    /// Whether the cluster itself was not reached, or was not well enough to answer.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(self, Error::Api { source, .. } if status(source).is_none_or(|code| code >= 500))
    }

    /// Whether the object asked for is not there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Error::Api { source, .. } if status(source) == Some(404))
    }
}

fn status(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(answer) => Some(answer.code),
        _ => None,
    }
}

/// The server's own message where there is one: it names the user, the verb and the resource.
fn explain(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(answer) => match answer.code {
            401 => format!(
                "the cluster does not accept our credentials ({}); log in again with your \
                     cluster's tool",
                answer.message
            ),
            403 => format!(
                "{} (ask whoever runs the cluster for this right)",
                answer.message
            ),
            _ => answer.message.clone(),
        },
        other => {
            // The chain says what a connection's error was.
            let mut text = other.to_string();
            let mut source = std::error::Error::source(other);
            while let Some(error) = source {
                let word = error.to_string();
                if !text.contains(&word) {
                    text.push_str(": ");
                    text.push_str(&word);
                }
                source = error.source();
            }
            text
        }
    }
}
