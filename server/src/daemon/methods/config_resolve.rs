//! `mirrord/config/resolve`: which file a launch uses and why, and what all of it comes to.

use mirrord_config::setting::Origin as From;
use mirrord_config::{Flags, Surroundings, effective, git_branch, read_in};
use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::config::{
    EffectiveValue, Origin, OriginKind, ResolveParams, ResolveResult,
};

use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::daemon::configs::{Text, Wanted, choice_of};
use crate::daemon::failure::Failure;
use crate::daemon::uri;

/// Says what a launch would use. A file with errors is answered as far as it can be read.
pub async fn resolve(client: &Client, params: ResolveParams) -> Outcome<ResolveResult> {
    let mut wanted = client.wanted_config(
        params.workspace.as_deref(),
        params.config_uri.as_deref(),
        client.environment(&params.env),
    );
    if let (None, Some(cwd)) = (&params.workspace, &params.cwd) {
        wanted.folder = cwd.into();
    }
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
            origin: origin_of(&value.origin, text.as_ref()),
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

fn origin_of(origin: &From, text: Option<&Text>) -> Origin {
    let (kind, name) = match origin {
        From::Default => (OriginKind::Default, None),
        From::File(_) => (OriginKind::File, None),
        From::Template(_) => (OriginKind::Template, None),
        From::Env(name) => (OriginKind::Env, Some(name.clone())),
        From::Flag(flag) => (OriginKind::Flag, Some((*flag).to_owned())),
    };
    let place = origin
        .place()
        .zip(text)
        .filter(|(place, text)| place.file.text == text.text);
    Origin {
        kind,
        name,
        uri: place.map(|(_, text)| uri::from_path(&text.path)),
        range: place.and_then(|(place, text)| text.range(&place.span)),
    }
}
