//! The way to an agent: its port, through the API server. Each connection is a port-forward of its
//! own, so that control and bulk do not share one, and a link that breaks is dialled anew like any
//! other.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy, split};

use crate::{Error, RunningAgent};

/// Opening one is a round trip or two; a network that drops packets must not hold a caller longer.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// What the agent still says to somebody who hung up is not worth more.
const LINGER: Duration = Duration::from_secs(1);

impl RunningAgent {
    /// Carries one connection to the agent's `port`, until either side ends it.
    ///
    /// # Errors
    /// [`Error::Api`] and [`Error::Slow`] when the cluster does not forward, [`Error::Local`] when the
    /// forward breaks.
    pub async fn carry(
        &self,
        port: u16,
        local: impl AsyncRead + AsyncWrite + Unpin,
    ) -> Result<(), Error> {
        let pods: Api<Pod> = Api::namespaced(self.client().clone(), &self.namespace);
        let what = format!("forward port {port} of the pod {}", self.pod);
        let ports = [port];
        let opened = tokio::time::timeout(OPEN_WITHIN, pods.portforward(&self.pod, &ports));
        let mut forward = match opened.await {
            Ok(opened) => opened.map_err(Error::api(what.clone()))?,
            Err(_) => {
                return Err(Error::Slow {
                    what,
                    seconds: OPEN_WITHIN.as_secs(),
                    last: "nothing".to_owned(),
                });
            }
        };
        let (Some(remote), Some(refusal)) = (forward.take_stream(port), forward.take_error(port))
        else {
            return Ok(());
        };
        let (mut from_us, mut to_us) = split(local);
        let (mut from_agent, mut to_agent) = split(remote);
        let up = async {
            let copied = copy(&mut from_us, &mut to_agent).await;
            // Whoever hung up may have done so because nothing comes through any more.
            let _ = tokio::time::timeout(LINGER, to_agent.shutdown()).await;
            tokio::time::sleep(LINGER).await;
            copied
        };
        let down = copy(&mut from_agent, &mut to_us);
        let carried = tokio::select! {
            carried = up => carried,
            carried = down => carried,
            Some(words) = refusal => Err(std::io::Error::other(words)),
        };
        forward.abort();
        match carried {
            Ok(_) => Ok(()),
            Err(source) => Err(Error::Local { what, source }),
        }
    }
}
