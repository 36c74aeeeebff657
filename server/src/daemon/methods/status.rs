//! `mirrord/status`: the one status item.

use mirrord_editor_protocol::lifecycle::{Status, StatusState};
use mirrord_editor_protocol::methods;
use mirrord_kubernetes::{Access, kubeconfig};

use super::{apart, kube};
use crate::daemon::client::Client;
use crate::daemon::sessions;

/// Tells a client how things are.
pub async fn tell(client: &Client) {
    let environment = kube::environment(client);
    let look = move || {
        // Whoever has no kubeconfig has no context; what is wrong with one tells who needs it.
        let contexts = kubeconfig::contexts(&Access::default(), &environment).unwrap_or_default();
        let current = contexts.into_iter().find(|context| context.current);
        let missing = super::doctor::what_is_missing();
        Ok(Status {
            state: match missing {
                None => StatusState::Ready,
                Some(_) => StatusState::Degraded,
            },
            namespace: current.as_ref().map(|context| {
                let named = context.namespace.clone();
                named.unwrap_or_else(|| kubeconfig::DEFAULT_NAMESPACE.to_owned())
            }),
            context: current.map(|context| context.name),
            sessions: u32::try_from(sessions::count()).unwrap_or(u32::MAX),
            message: missing,
        })
    };
    match apart(look).await {
        Ok(status) => client.peer().tell::<methods::Status>(&status),
        Err(error) => tracing::warn!("could not look how things are: {}", error.0.message),
    }
}
