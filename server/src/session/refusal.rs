//! Errors in the shape that travels to the daemon and from there to the editors.

use mirrord_protocol::session_control::SessionError;

/// An error with its chain of causes.
pub fn of(kind: &str, error: &anyhow::Error) -> SessionError {
    SessionError {
        kind: kind.to_owned(),
        message: error.to_string(),
        help: None,
        causes: error.chain().skip(1).map(ToString::to_string).collect(),
        retryable: matches!(kind, "agent" | "ended" | "internal"),
    }
}

/// An error of one sentence.
pub fn plain(kind: &str, message: &str) -> SessionError {
    SessionError {
        kind: kind.to_owned(),
        message: message.to_owned(),
        help: None,
        causes: Vec::new(),
        retryable: false,
    }
}

/// The same with the next step.
pub fn with_help(mut error: SessionError, help: &str) -> SessionError {
    error.help = Some(help.to_owned());
    error
}
