//! Asking the user for a target.

use std::sync::Arc;

use mirrord_editor_protocol::launch::PrepareParams;
use mirrord_editor_protocol::ui::{PickTargetParams, PickTargetResult};
use mirrord_editor_protocol::{ErrorKind, methods};

use crate::daemon::client::Client;
use crate::daemon::failure::Failure;
use crate::daemon::methods::Outcome;
use crate::daemon::methods::targets_list::{Filter, rows};

/// The variables by which a launch says where its target is.
const CONTEXT: &str = "MIRRORD_KUBE_CONTEXT";
const NAMESPACE: &str = "MIRRORD_TARGET_NAMESPACE";

/// Puts the target that the user picks into the launch, where a restart finds it too; false when
/// the user escapes.
pub async fn target(client: &Arc<Client>, params: &mut PrepareParams) -> Outcome<bool> {
    let picked = ask(client, params).await?;
    for (name, value) in [(CONTEXT, picked.context), (NAMESPACE, picked.namespace)] {
        if value.is_some() {
            params.launch.env.insert(name.to_owned(), value);
        }
    }
    params.target = picked.path;
    Ok(params.target.is_some())
}

async fn ask(client: &Arc<Client>, params: &PrepareParams) -> Outcome<PickTargetResult> {
    let can_ask = client.said().options.capabilities.target_picker;
    if !params.interactive || !can_ask {
        let message = "neither the launch nor its configuration names a target";
        return Err(Failure::new(ErrorKind::TargetRequired, message).help(
            "set `target` in the configuration, for example to \"sandbox/default\"; \
             `mirrord/targets/list` tells which there are",
        ));
    }
    let targets = rows(client, &Filter::default()).await?;
    let title = match params.launch.name.as_str() {
        "" => "Run in".to_owned(),
        name => format!("Run {name} in"),
    };
    let asked = PickTargetParams {
        title,
        workspace: params.workspace.clone(),
        targets,
    };
    let _turn = client.picker.lock().await;
    let answer = client.peer().ask::<methods::UiPickTarget>(asked).await;
    answer.map_err(|error| {
        Failure::new(
            ErrorKind::TargetRequired,
            format!("the editor could not ask for a target: {}", error.message),
        )
    })
}
