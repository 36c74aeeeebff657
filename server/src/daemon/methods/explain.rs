//! `mirrord/explain`.

use mirrord_editor_protocol::explain::{ExplainParams, ExplainResult};

use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::daemon::configs::choice_of;
use crate::daemon::failure::Failure;

/// Says where something would go.
pub async fn explain(client: &Client, params: ExplainParams) -> Outcome<ExplainResult> {
    let wanted = client.wanted_config(
        params.workspace.as_deref(),
        params.config_uri.as_deref(),
        client.environment(&Default::default()),
    );
    apart(move || {
        let loaded = wanted.load()?;
        // What is asked wrongly, or a rule that cannot be compiled: both are the asker's.
        let mut result = crate::explain::explain(&loaded.config, &params)
            .map_err(|error| Failure::invalid(format!("{error:#}")))?;
        result.config = Some(choice_of(&wanted.choose()?));
        Ok(result)
    })
    .await
}
