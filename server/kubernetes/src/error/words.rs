//! A cluster's answer, or its silence, in words for a person. What helpers were started with, and
//! what they printed for us alone, stays out of them.

use std::error::Error as StdError;

use kube::client::AuthError;

/// The server's own message where there is one: it names the user, the verb and the resource.
pub(super) fn explain(error: &kube::Error) -> String {
    if let kube::Error::Api(answer) = error {
        return match answer.code {
            401 => format!(
                "the cluster does not accept our credentials ({}); log in again with your \
                 cluster's tool",
                answer.message
            ),
            403 => format!(
                "{} (ask whoever runs the cluster for this right)",
                answer.message
            ),
            429 => format!("the cluster is busy ({}); try again later", answer.message),
            _ => answer.message.clone(),
        };
    }
    if let Some(words) = find(error, login) {
        return words;
    }
    let chain = chain(error);
    match error {
        kube::Error::Service(_) | kube::Error::HyperError(_) => format!(
            "the API server cannot be reached ({chain}); is the cluster up, and does the way to it \
             need a VPN or a proxy?"
        ),
        _ => chain,
    }
}

fn find(
    error: &(dyn StdError + 'static),
    look: fn(&AuthError) -> Option<String>,
) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(words) = error.downcast_ref::<AuthError>().and_then(look) {
            return Some(words);
        }
        // Boxes stand for what is in them, and `source` passes that by.
        if let Some(kube::Error::Service(inner)) = error.downcast_ref::<kube::Error>()
            && let Some(words) = find(&**inner, look)
        {
            return Some(words);
        }
        if let Some(kube::Error::Auth(inner)) = error.downcast_ref::<kube::Error>()
            && let Some(words) = look(inner)
        {
            return Some(words);
        }
        next = error.source();
    }
    None
}

/// The messages of kube show the helper's whole environment and what it printed.
fn login(error: &AuthError) -> Option<String> {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
            let ended = match out.status.code() {
                Some(code) => format!("it ended with status {code}"),
                None => "it was killed".to_owned(),
            };
            Some(match last {
                Some(last) => format!("{ended}: {last}"),
                None => format!("{ended}; log in again with your cluster's tool"),
            })
        }
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            Some("it printed no credentials; log in again with your cluster's tool".to_owned())
        }
        AuthError::AuthExecStart(error) => Some(format!("it could not be started: {error}")),
        AuthError::ReadTokenFile(error, path) => Some(format!(
            "the token file {} cannot be read: {error}",
            path.display()
        )),
        _ => None,
    }
}

/// The chain says what a connection's error was.
fn chain(error: &kube::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
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
