//! `mirrord/config/verify`.

use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::config::{Format, Severity, VerifyParams, VerifyResult};

use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::daemon::configs::Text;
use crate::daemon::failure::Failure;
use crate::daemon::uri;

/// Says what is wrong with a file or a text.
pub async fn verify(client: &Client, params: VerifyParams) -> Outcome<VerifyResult> {
    let text = text(client, params).await?;
    let env = client.environment(&Default::default());
    let diagnostics = apart(move || Ok(text.check(&env).1)).await?;
    Ok(VerifyResult {
        ok: !diagnostics
            .iter()
            .any(|one| one.severity == Severity::Error),
        diagnostics,
    })
}

async fn text(client: &Client, params: VerifyParams) -> Outcome<Text> {
    let path = params.uri.as_deref().and_then(uri::to_path);
    if let Some(text) = params.text {
        let ending = match params.format {
            Some(Format::Yaml) => "yaml",
            Some(Format::Toml) => "toml",
            _ => "json",
        };
        let path = path.unwrap_or_else(|| format!("/mirrord.{ending}").into());
        return Ok(Text { path, text });
    }
    let Some(uri) = params.uri else {
        return Err(Failure::invalid("give a `uri` or a `text` to verify"));
    };
    let Some(path) = path else {
        return Err(Failure::invalid(format!(
            "{uri} is not a file of this machine"
        )));
    };
    let open = client
        .documents
        .with_name(&uri, |document, _| document.text().to_owned());
    if let Some(text) = open {
        return Ok(Text { path, text });
    }
    let read = path.clone();
    apart(move || Ok(std::fs::read_to_string(read)))
        .await?
        .map(|text| Text { path, text })
        .map_err(|error| {
            Failure::new(
                ErrorKind::NotFound,
                format!("could not read {uri}: {error}"),
            )
        })
}
