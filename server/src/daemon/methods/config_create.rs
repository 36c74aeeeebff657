//! `mirrord/config/create`: a new file from a template, which the client makes.

use mirrord_config::edit;
use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::config::{CreateParams, CreateResult};
use mirrord_editor_protocol::text::WorkspaceEdit;

use super::Outcome;
use crate::daemon::client::Client;
use crate::daemon::configs::format_for;
use crate::daemon::failure::Failure;
use crate::daemon::uri;

/// Proposes it; nothing is written here.
pub async fn create(_: &Client, params: CreateParams) -> Outcome<CreateResult> {
    let Some(folder) = uri::to_path(&params.workspace) else {
        let message = format!("{} is not a folder of this machine", params.workspace);
        return Err(Failure::invalid(message));
    };
    let (format, ending) = format_for(params.format.as_ref())?;
    let path = folder.join(".mirrord").join(file_name(&params, ending)?);
    let uri = uri::from_path(&path);
    if path.exists() {
        let message = format!("{uri} is there already");
        return Err(Failure::new(ErrorKind::Conflict, message)
            .help("open it, or give the new one another `name`"));
    }
    let text = edit::template(format, params.target.as_deref());
    let edit = WorkspaceEdit::of_new_file(uri.clone(), text);
    Ok(CreateResult { uri, edit })
}

/// Only names that end so are found by launches.
fn file_name(params: &CreateParams, ending: &str) -> Outcome<String> {
    let name = params.name.as_deref().unwrap_or("mirrord");
    if name.is_empty() || name.contains(['/', '\0']) {
        return Err(Failure::invalid(format!(
            "{name:?} cannot be the name of a file"
        )));
    }
    Ok(match name.ends_with("mirrord") {
        true => format!("{name}.{ending}"),
        false => format!("{name}.mirrord.{ending}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_file_has_a_name_that_launches_find() {
        let named = |name: Option<&str>| {
            let params = CreateParams {
                name: name.map(str::to_owned),
                ..CreateParams::default()
            };
            file_name(&params, "toml")
        };
        assert_eq!(named(None).unwrap(), "mirrord.toml");
        assert_eq!(named(Some("shop")).unwrap(), "shop.mirrord.toml");
        assert_eq!(named(Some("a.mirrord")).unwrap(), "a.mirrord.toml");
        assert!(named(Some("../x")).is_err());
    }
}
