//! What editors and other clients say to the daemon beside plain LSP: the `mirrord/*` methods.
//!
//! This crate holds plain types, the table of all methods ([`methods`]), and the schema and the
//! page that are made from them. It knows no sockets and no sessions. Fields are camelCase;
//! unknown fields and unknown values of enums are accepted, so that either side may be newer.

#![forbid(unsafe_code)]

#[macro_use]
mod open_enum;

pub mod agent;
pub mod config;
pub mod doctor;
pub mod error;
pub mod explain;
pub mod kube;
pub mod launch;
pub mod lifecycle;
pub mod methods;
pub mod notify;
mod page;
mod schema;
pub mod session;
pub mod targets;
pub mod text;
pub mod ui;

pub use error::{ErrorData, ErrorKind};
pub use methods::{Direction, MethodInfo, Notification, Request};
pub use page::page;
pub use schema::schema;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of this protocol, as `initialize` answers it. It counts up when a client that
/// keeps to the schema could no longer work.
pub const PROTOCOL_VERSION: u32 = 1;

/// A result without content.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Empty {}

/// A token that the client chose for progress or partial results.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ProgressToken {
    /// A number.
    Number(i32),
    /// A text.
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_newer_version_are_accepted_and_kept() {
        let text = r#"{"sessionId":"a","pid":1,"state":"asleep","since":3}"#;
        let params: launch::DebugStateParams = serde_json::from_str(text).unwrap();
        assert_eq!(params.state, launch::DebugState::Other("asleep".into()));
        let again = serde_json::to_value(&params).unwrap();
        assert_eq!(again["state"], "asleep");
    }

    #[test]
    fn what_is_absent_is_left_out_and_null_is_absent() {
        let text = r#"{"path":"/etc","host":null}"#;
        let params: explain::ExplainParams = serde_json::from_str(text).unwrap();
        assert_eq!(params.host, None);
        assert_eq!(
            serde_json::to_string(&params).unwrap(),
            r#"{"path":"/etc"}"#
        );
    }

    #[test]
    fn an_event_is_flat_beside_its_session() {
        let text = r#"{"sessionId":"a","seq":7,"ts":"2030-01-01T00:00:00.000Z","kind":"notice",
            "level":"info","text":"hello"}"#;
        let event: session::SessionEvent = serde_json::from_str(text).unwrap();
        assert_eq!(event.event.seq, 7);
        assert_eq!(serde_json::to_value(&event).unwrap()["kind"], "notice");
    }
}
