//! `mirrord/config/resolve`: which file a launch uses and why, and what all of it comes to.

use std::path::Path;

use mirrord_config::{Flags, Surroundings, effective, git_branch, read_in};
use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::config::{EffectiveValue, ResolveParams, ResolveResult};

use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::daemon::configs::{Text, Wanted, choice_of, origin_of};
use crate::daemon::failure::Failure;

/// Says what a launch would use. A file with errors is answered as far as it can be read.
pub async fn resolve(client: &Client, params: ResolveParams) -> Outcome<ResolveResult> {
    let inside: Vec<&Path> = params.cwd.iter().map(Path::new).collect();
    let folder = client.owning_folder(params.workspace.as_deref(), &inside);
    let environment = client.environment(&params.env);
    let mut wanted = client.wanted_in(folder, params.config_uri.as_deref(), environment);
    wanted.target = params.target;
    apart(move || Ok(look(&wanted))).await?
}

fn look(wanted: &Wanted) -> Outcome<ResolveResult> {
    let choice = wanted.choose()?;
    let text = choice.path.clone().map(read).transpose()?;
    let branch = || git_branch(&wanted.folder);
    let surroundings = Surroundings {
        env: wanted.env.clone().into_iter().collect(),
        git_branch: &branch,
    };
    let flags = Flags {
        target: wanted.target.clone(),
        ..Flags::default()
    };
    let source = text
        .as_ref()
        .map(|text| (text.path.as_path(), text.text.as_str()));
    let reading = read_in(source, Some(&wanted.folder), &flags, &surroundings);
    let values = effective(&reading.config, &reading.unserved)
        .into_iter()
        .map(|value| EffectiveValue {
            path: value.path.join("."),
            value: value.value,
            origin: origin_of(&value.origin),
            redacted: value.redacted,
        })
        .collect();
    let diagnostics = text
        .as_ref()
        .map(|text| text.diagnostics(&reading.problems));
    Ok(ResolveResult {
        config: choice_of(&choice),
        values,
        diagnostics: diagnostics.unwrap_or_default(),
    })
}

fn read(path: std::path::PathBuf) -> Outcome<Text> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Text { path, text }),
        Err(error) => Err(Failure::new(
            ErrorKind::NotFound,
            format!("could not read {}: {error}", path.display()),
        )),
    }
}
