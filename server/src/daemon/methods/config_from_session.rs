//! `mirrord/config/fromSession`: the least configuration that a session needed, as an edit of a
//! file or as a new one. The session itself knows what was touched and makes the keys; here they
//! become a text, which is read back before it is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mirrord_config::edit::{self, Change, EditError};
use mirrord_config::{Flags, Format, Surroundings, git_branch, read_in};
use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::config::{FromSessionParams, FromSessionResult, KeyReason};
use mirrord_editor_protocol::text::WorkspaceEdit;
use mirrord_protocol::session_control::{Least, LeastKey, SessionStatus};
use serde_json::Value;

use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::daemon::configs::{Text, format_for};
use crate::daemon::failure::Failure;
use crate::daemon::{sessions, uri};

/// Where the proposal goes.
struct Place {
    path: PathBuf,
    format: Format,
    /// The text that is there, and its version when it is open.
    there: Option<(String, Option<i32>)>,
}

/// Proposes it; nothing is written here.
pub async fn from_session(
    client: &Arc<Client>,
    params: FromSessionParams,
) -> Outcome<FromSessionResult> {
    let found = sessions::find(&params.session_id).await?;
    let least = found.client.least().await?;
    let place = match params.uri.as_deref() {
        Some(uri) => named(client, uri)?,
        None => new_one(&found.status, &params)?,
    };
    let env = client.environment(&Default::default());
    apart(move || {
        Ok(propose(
            &place,
            least,
            &found.status,
            env.into_iter().collect(),
        ))
    })
    .await?
}

/// The file that the client names: its open text counts, then the one on disk.
fn named(client: &Client, uri: &str) -> Outcome<Place> {
    let Some(path) = uri::to_path(uri) else {
        let message = format!("{uri} is not a file of this machine");
        return Err(Failure::invalid(message));
    };
    let Some(format) = Format::of(&path) else {
        let message = format!("{uri} ends like none of json, yaml, yml and toml");
        return Err(Failure::invalid(message));
    };
    let open = client.documents.with_name(uri, |document, version| {
        (document.text().to_owned(), Some(version))
    });
    let there = match open {
        Some(open) => Some(open),
        None => match std::fs::read_to_string(&path) {
            Ok(text) => Some((text, None)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                let message = format!("could not read {uri}: {error}");
                return Err(Failure::new(ErrorKind::NotFound, message));
            }
        },
    };
    Ok(Place {
        path,
        format,
        there,
    })
}

/// A new file in the session's folder, under a name that is free and that launches find.
fn new_one(session: &SessionStatus, params: &FromSessionParams) -> Outcome<Place> {
    let Some(folder) = &session.workspace else {
        let message = "the session belongs to no folder, so there is no place for a new file";
        return Err(Failure::invalid(message).help("give a `uri`"));
    };
    let (format, ending) = format_for(params.format.as_ref())?;
    let name: String = session
        .name
        .chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => character,
            _ => '-',
        })
        .take(40)
        .collect();
    let name = name.trim_matches('-').to_lowercase();
    let name = if name.is_empty() { "session" } else { &name };
    let inside = folder.join(".mirrord");
    let path = (1..=u32::MAX)
        .map(|number| match number {
            1 => inside.join(format!("{name}.mirrord.{ending}")),
            number => inside.join(format!("{name}-{number}.mirrord.{ending}")),
        })
        .find(|path| !path.exists());
    let Some(path) = path else {
        return Err(Failure::invalid("every name for a new file is taken"));
    };
    Ok(Place {
        path,
        format,
        there: None,
    })
}

fn propose(
    place: &Place,
    least: Least,
    session: &SessionStatus,
    env: std::collections::HashMap<String, String>,
) -> Outcome<FromSessionResult> {
    let branch = || git_branch(place.path.parent().unwrap_or(Path::new("/")));
    let surroundings = Surroundings {
        env,
        git_branch: &branch,
    };
    let flags = Flags::default();
    let own_file = session.config_file.as_deref() == Some(&*place.path);
    let mut keys = least.keys;
    if let Some((text, _)) = &place.there {
        let now = read_in(Some((&place.path, text)), None, &flags, &surroundings);
        let target = now.config.target_name();
        keys.retain(|key| {
            if key.path == ["target"] {
                return target.as_deref() != key.value.as_str();
            }
            !(own_file && key.in_file)
        });
    }
    let old = place.there.as_ref().map_or("", |(text, _)| text.as_str());
    let text = written(old, place.format, &keys).map_err(|error| cannot(place, &error))?;
    // Whoever takes it must be able to run it.
    let read = read_in(Some((&place.path, &text)), None, &flags, &surroundings);
    if let (false, Some(problem)) = (read.is_ok(), read.problems.first()) {
        let message = format!("the proposed configuration would not be valid: {problem}");
        return Err(Failure::new(ErrorKind::ConfigInvalid, message)
            .help("mend the file first, or leave `uri` out for a new one"));
    }
    let uri = uri::from_path(&place.path);
    let edit = match &place.there {
        Some((old, version)) => {
            let document = Text {
                path: place.path.clone(),
                text: old.clone(),
            };
            let edit = document.changed(&text, *version);
            edit.ok_or_else(|| cannot(place, &EditError::Style))?
        }
        None => WorkspaceEdit::of_new_file(uri, text.clone()),
    };
    Ok(FromSessionResult {
        reasons: reasons(&keys),
        notes: least.notes,
        text,
        edit,
    })
}

fn cannot(place: &Place, error: &EditError) -> Failure {
    let message = format!("{} cannot be changed: {error}", place.path.display());
    Failure::new(ErrorKind::Conflict, message).help("leave `uri` out for a new file")
}

/// The text with the keys in it, and why where the language has comments.
fn written(old: &str, format: Format, keys: &[LeastKey]) -> Result<String, EditError> {
    let paths: Vec<Vec<&str>> = keys
        .iter()
        .map(|key| key.path.iter().map(String::as_str).collect())
        .collect();
    let changes: Vec<(&[&str], Change)> = keys
        .iter()
        .zip(&paths)
        .map(|(key, path)| {
            let change = match &key.value {
                Value::Null => Change::Remove,
                value => Change::Set(value.clone()),
            };
            (path.as_slice(), change)
        })
        .collect();
    let edits = edit::edit(old, format, &changes)?;
    let new = mirrord_config::TextEdit::apply(old, &edits);
    let mut comments = Vec::new();
    for key in keys.iter().filter(|key| !key.value.is_null()) {
        comments.push((key.path.clone(), key.why.clone()));
        comments.extend(items(key));
    }
    // A second proposal for the same file would say it all again.
    let is_new = |(_, why): &(Vec<String>, String)| !old.contains(&format!("# {why}"));
    comments.retain(is_new);
    Ok(edit::commented(&new, format, &comments))
}

/// The paths of a list's values, and why each is there.
fn items(key: &LeastKey) -> impl Iterator<Item = (Vec<String>, String)> {
    let mut path = key.path.clone();
    // `filter` has its list below a side.
    if let Value::Object(map) = &key.value
        && let Some((side, _)) = map.iter().next()
    {
        path.push(side.clone());
    }
    key.items.iter().enumerate().map(move |(index, why)| {
        let mut path = path.clone();
        path.push(index.to_string());
        (path, why.clone())
    })
}

fn reasons(keys: &[LeastKey]) -> Vec<KeyReason> {
    let of = |(path, why): (Vec<String>, String)| KeyReason {
        path: path.join("."),
        why,
    };
    keys.iter()
        .filter(|key| !key.value.is_null())
        .flat_map(|key| {
            let own = (key.path.clone(), key.why.clone());
            std::iter::once(own).chain(items(key)).map(of)
        })
        .collect()
}
