//! `mirrord/kube/*`. What the cluster refuses is a partial result with its
//! reason, never a failed picker.

use std::time::Duration;

use mirrord_editor_protocol::kube::{
    Context, ContextsParams, ContextsResult, NamespacesParams, NamespacesResult,
};
use mirrord_kubernetes::{Access, Environment, kubeconfig};

use super::{Outcome, apart};
use crate::daemon::client::Client;

/// A picker waits no longer.
const DEADLINE: Duration = Duration::from_secs(15);

/// The contexts of the client's kubeconfig.
pub async fn contexts(client: &Client, _: ContextsParams) -> Outcome<ContextsResult> {
    let environment = environment(client);
    let read = apart(move || Ok(kubeconfig::contexts(&Access::default(), &environment))).await?;
    Ok(match read {
        Ok(contexts) => ContextsResult {
            contexts: contexts.into_iter().map(context).collect(),
            reason: None,
        },
        Err(error) => ContextsResult {
            contexts: Vec::new(),
            reason: Some(error.to_string()),
        },
    })
}

/// The namespaces; those that the kubeconfig names when the cluster does not tell.
pub async fn namespaces(client: &Client, params: NamespacesParams) -> Outcome<NamespacesResult> {
    let environment = environment(client);
    let access = Access {
        context: params.context,
        ..Access::default()
    };
    let clusters = &client.daemon.clusters;
    let (known_access, known_environment) = (access.clone(), environment.clone());
    let asked = clusters.with(access, environment, |cluster| async move {
        cluster.namespaces().await
    });
    let answer = match tokio::time::timeout(DEADLINE, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(slow()),
    };
    let (mut namespaces, reason) = match answer {
        Ok(namespaces) => (namespaces, None),
        Err(reason) => {
            let known = apart(move || {
                Ok(kubeconfig::known_namespaces(
                    &known_access,
                    &known_environment,
                ))
            });
            // Without a kubeconfig nothing is known, which the reason says already.
            (known.await?.unwrap_or_default(), Some(reason))
        }
    };
    if let Some(query) = params.query.map(|query| query.to_lowercase()) {
        namespaces.retain(|name| name.contains(&query));
    }
    Ok(NamespacesResult { namespaces, reason })
}

/// Whose kubeconfig, helpers and proxies decide.
pub fn environment(client: &Client) -> Environment {
    Environment::of(client.environment(&Default::default()))
}

/// What is said of a cluster that does not answer.
pub fn slow() -> String {
    format!(
        "the cluster did not answer within {} s; is it up, and does the way to it need a VPN?",
        DEADLINE.as_secs()
    )
}

fn context(context: kubeconfig::Context) -> Context {
    Context {
        name: context.name,
        cluster: Some(context.cluster).filter(|name| !name.is_empty()),
        namespace: context.namespace,
        current: context.current,
    }
}
