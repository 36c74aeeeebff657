//! The way to an agent: its port, through the API server, as a Unix socket of this machine. Each
//! connection to the socket is a port-forward of its own, so that control and bulk do not share one
//! connection, and a link that breaks is dialled anew like any other.

use std::path::Path;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::Api;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use crate::{Error, RunningAgent};

/// The socket, until it is dropped.
pub struct Forward {
    task: JoinHandle<()>,
    path: std::path::PathBuf,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!("could not remove {}: {error}", self.path.display());
        }
    }
}

impl RunningAgent {
    /// Makes the socket `path` lead to the agent's `port`.
    ///
    /// # Errors
    /// [`Error::Local`] when the socket cannot be made. That the cluster refuses a port-forward is
    /// told to whoever connects, by the end of the connection, and in the log.
    pub fn forward(&self, port: u16, path: &Path) -> Result<Forward, Error> {
        let listener = UnixListener::bind(path).map_err(|source| Error::Local {
            what: format!("make the socket {}", path.display()),
            source,
        })?;
        let (client, namespace, pod) = (
            self.client().clone(),
            self.namespace.clone(),
            self.pod.clone(),
        );
        let task = tokio::spawn(async move {
            loop {
                let local = match listener.accept().await {
                    Ok((local, _)) => local,
                    Err(error) => {
                        tracing::error!("the socket to the agent failed: {error}");
                        return;
                    }
                };
                let (client, namespace, pod) = (client.clone(), namespace.clone(), pod.clone());
                tokio::spawn(async move {
                    if let Err(error) = carry(client, &namespace, &pod, port, local).await {
                        tracing::warn!("the way to the agent's pod {pod} ended: {error}");
                    }
                });
            }
        });
        Ok(Forward {
            task,
            path: path.to_owned(),
        })
    }
}

async fn carry(
    client: Client,
    namespace: &str,
    pod: &str,
    port: u16,
    mut local: UnixStream,
) -> Result<(), Error> {
    let pods: Api<Pod> = Api::namespaced(client, namespace);
    let what = format!("forward port {port} of the pod {pod}");
    let mut forward = pods
        .portforward(pod, &[port])
        .await
        .map_err(Error::api(what.clone()))?;
    let (Some(mut remote), Some(refusal)) = (forward.take_stream(port), forward.take_error(port))
    else {
        return Ok(());
    };
    let carried = tokio::select! {
        carried = tokio::io::copy_bidirectional(&mut local, &mut remote) => carried,
        Some(words) = refusal => Err(std::io::Error::other(words)),
    };
    forward.abort();
    match carried {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Local { what, source }),
    }
}
