//! `mirrord/config/setTarget`: the picked target, as an edit of a configuration file.

use std::sync::Arc;

use mirrord_config::Format;
use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::config::{SetTargetParams, SetTargetResult};
use mirrord_editor_protocol::text::{TextEdit, WorkspaceEdit};
use mirrord_language::{Document, Encoding};
use mirrord_target::Target;

use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::daemon::configs::range_of;
use crate::daemon::failure::Failure;
use crate::daemon::uri;

/// Proposes it; nothing is written here.
pub async fn set(client: &Arc<Client>, params: SetTargetParams) -> Outcome<SetTargetResult> {
    let target = params.target;
    if let Err(error) = target.parse::<Target>() {
        return Err(Failure::invalid(error.to_string()));
    }
    let open = client
        .documents
        .with_name(&params.uri, |document, version| {
            (document.set_target(&target), Some(version))
        });
    let (edits, version) = match open {
        Some(open) => open,
        None => (edits_of_file(&params.uri, target).await?, None),
    };
    if edits.is_empty() {
        let message = format!(
            "no edit of {} changes its target and keeps its layout",
            params.uri
        );
        return Err(Failure::new(ErrorKind::Conflict, message).help("write the target by hand"));
    }
    let edits = edits.into_iter().map(|edit| TextEdit {
        range: range_of(edit.range),
        new_text: edit.new_text,
    });
    Ok(SetTargetResult {
        edit: WorkspaceEdit::of_text(params.uri, version, edits.collect()),
    })
}

async fn edits_of_file(name: &str, target: String) -> Outcome<Vec<tower_lsp::ls_types::TextEdit>> {
    let cannot = |why: String| Failure::new(ErrorKind::NotFound, why);
    let path = uri::to_path(name);
    let path = path.ok_or_else(|| cannot(format!("{name} is not a file of this machine")))?;
    let Some(format) = Format::of(&path) else {
        let message = format!("{name} ends like none of json, yaml, yml and toml");
        return Err(Failure::invalid(message));
    };
    let read = path.clone();
    let text = apart(move || Ok(std::fs::read_to_string(read))).await?;
    let text = text.map_err(|error| cannot(format!("could not read {name}: {error}")))?;
    let parsed = uri::from_path(&path).parse();
    let uri = parsed.map_err(|error| Failure::invalid(format!("{name} is no URI: {error}")))?;
    let document = Document::new(uri, path, format, Encoding::Utf16, text);
    Ok(document.set_target(&target))
}
