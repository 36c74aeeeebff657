//! `mirrord/session/rule`: one rule of a running session.

use std::path::Path;
use std::sync::Arc;

use mirrord_editor_protocol::session::{RuleAction, RuleParams, RuleResult, RuleSubject};
use mirrord_editor_protocol::text::WorkspaceEdit;
use mirrord_protocol::session_control::{ConfigEdit, PathPlace, PortMode, RuleChange};

use super::Outcome;
use crate::daemon::client::Client;
use crate::daemon::configs::Text;
use crate::daemon::failure::Failure;
use crate::daemon::sessions;

/// Changes it.
pub async fn rule(_: &Arc<Client>, params: RuleParams) -> Outcome<RuleResult> {
    let change = change(&params)?;
    let found = sessions::find(&params.session_id).await?;
    let (edit, _) = found.client.rule(change).await?;
    let kept = found.status.config_file.as_deref();
    let kept = kept.and_then(|file| kept_by(file, &edit));
    Ok(RuleResult {
        rule: format!("{} {}", edit.path.join("."), params.value),
        key: edit.path,
        value: edit.value,
        edit: kept,
    })
}

/// The edit of the session's file that keeps the rule. The rule is in force already, so a file that
/// cannot be changed by a program only means that there is no edit; key and value are told.
fn kept_by(file: &Path, edit: &ConfigEdit) -> Option<WorkspaceEdit> {
    let cannot = |error: &dyn std::fmt::Display| {
        tracing::warn!("no edit of {} keeps the rule: {error}", file.display());
    };
    let text = std::fs::read_to_string(file)
        .inspect_err(|error| cannot(error))
        .ok()?;
    let text = Text {
        path: file.to_owned(),
        text,
    };
    text.setting(&edit.path, &edit.value)
        .inspect_err(|error| cannot(error))
        .ok()
}

fn change(params: &RuleParams) -> Result<RuleChange, Failure> {
    let cannot = || {
        Failure::invalid(format!(
            "a {} cannot be made {:?}: paths can be local, remote, readOnly or notFound, hosts \
             local or remote, ports steal, mirror or off",
            params.subject,
            params.action.as_str()
        ))
    };
    Ok(match params.subject {
        RuleSubject::Path => RuleChange::Path {
            path: params.value.clone(),
            place: match params.action {
                RuleAction::Local => PathPlace::Local,
                RuleAction::Remote => PathPlace::RemoteWrite,
                RuleAction::ReadOnly => PathPlace::Remote,
                RuleAction::NotFound => PathPlace::NotFound,
                _ => return Err(cannot()),
            },
        },
        RuleSubject::Host => RuleChange::Host {
            host: params.value.clone(),
            port: None,
            remote: match params.action {
                RuleAction::Local => false,
                RuleAction::Remote => true,
                _ => return Err(cannot()),
            },
        },
        RuleSubject::Port => RuleChange::Port {
            port: params.value.parse().map_err(|_| {
                Failure::invalid(format!("{:?} is not a port (1 to 65535)", params.value))
            })?,
            mode: match params.action {
                RuleAction::Steal => PortMode::Steal,
                RuleAction::Mirror => PortMode::Mirror,
                RuleAction::Off | RuleAction::Local => PortMode::Off,
                _ => return Err(cannot()),
            },
        },
        RuleSubject::Other(_) => return Err(cannot()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(subject: RuleSubject, value: &str, action: RuleAction) -> RuleParams {
        RuleParams {
            session_id: "s".into(),
            subject,
            value: value.into(),
            action,
        }
    }

    #[test]
    fn a_rule_that_makes_no_sense_says_what_can_be_done() {
        for (subject, value, action) in [
            (RuleSubject::Path, "/x", RuleAction::Steal),
            (RuleSubject::Host, "db", RuleAction::NotFound),
            (RuleSubject::Port, "80", RuleAction::NotFound),
            (RuleSubject::Port, "http", RuleAction::Steal),
            (RuleSubject::Other("pod".into()), "x", RuleAction::Local),
        ] {
            assert!(
                change(&asked(subject.clone(), value, action)).is_err(),
                "{subject}"
            );
        }
        let port = change(&asked(RuleSubject::Port, "80", RuleAction::Steal)).unwrap();
        let mode = PortMode::Steal;
        assert_eq!(port, RuleChange::Port { port: 80, mode });
    }
}
