//! An agent that runs in the cluster: its log, its end, and putting it away.

use std::time::Duration;

use futures::{AsyncBufReadExt, TryStreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, DeleteParams, LogParams};

use crate::start::words;
use crate::{Cluster, Error};

/// A look at a pod that the cluster does not answer within this time says nothing.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// Between two looks at a pod whose log broke off.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// An agent that runs in the cluster. Dropped, it is left alone: it ends with its session.
#[derive(Clone)]
pub struct RunningAgent {
    pub(crate) client: Client,
    /// Its namespace.
    pub namespace: String,
    /// Its Job, unless it is a container in the target's pod.
    pub job: Option<String>,
    /// Its pod.
    pub pod: String,
    /// Its container there.
    pub container: String,
    /// Its first line: version, fingerprint and port. It comes from `pods/log`, which nobody but
    /// the agent's own container writes.
    pub first_line: String,
}

impl RunningAgent {
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Why it has ended, if the cluster can say now that it has.
    pub async fn has_ended(&self) -> Option<String> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        match tokio::time::timeout(LOOK_WITHIN, pods.get_opt(&self.pod)).await {
            Ok(Ok(None)) => Some(self.removed()),
            Ok(Ok(Some(pod))) => {
                words::ending(&pod, &self.container).map(|words| self.ended(&words))
            }
            Ok(Err(error)) => {
                tracing::debug!("looking at the agent's pod {}: {error}", self.pod);
                None
            }
            Err(_) => None,
        }
    }

    fn removed(&self) -> String {
        format!("the agent's pod {} was removed", self.pod)
    }

    fn ended(&self, words: &str) -> String {
        match &self.job {
            Some(_) => format!("the agent's pod {} ended ({words})", self.pod),
            None => format!("the agent in the pod {} ended ({words})", self.pod),
        }
    }

    /// Completes when its container has ended, with the cluster's reason, and shows its log until
    /// then. A log that breaks off (the API server was restarted, the network was away) is taken up
    /// again.
    ///
    /// # Errors
    /// [`Error::Api`] when the cluster refuses to tell.
    pub async fn until_it_ends(&self, mut show: impl FnMut(&str)) -> Result<String, Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let what = format!("follow the agent's pod {}", self.pod);
        // The first line was shown.
        let mut skip = 1;
        loop {
            let follow = LogParams {
                follow: true,
                container: Some(self.container.clone()),
                tail_lines: (skip == 0).then_some(0),
                ..LogParams::default()
            };
            match pods.log_stream(&self.pod, &follow).await {
                Ok(log) => {
                    let mut lines = log.lines();
                    while let Ok(Some(line)) = lines.try_next().await {
                        if skip == 0 {
                            show(&line);
                        } else {
                            skip -= 1;
                        }
                    }
                    skip = 0;
                }
                Err(error) => tracing::debug!("{what}: {error}"),
            }
            match pods.get_opt(&self.pod).await {
                Ok(None) => return Ok(self.removed()),
                Ok(Some(pod)) => {
                    if let Some(words) = words::ending(&pod, &self.container) {
                        return Ok(self.ended(&words));
                    }
                }
                Err(kube::Error::Api(refusal)) if refusal.code < 500 => {
                    return Err(Error::api(what)(kube::Error::Api(refusal)));
                }
                Err(error) => tracing::debug!("{what}: {error}"),
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

impl Cluster {
    /// Removes an agent's Job and pod. A container in the target's pod cannot be removed; it ends
    /// with its session.
    ///
    /// # Errors
    /// [`Error::Api`] when the cluster refuses; one that is gone already is none.
    pub async fn remove_agent(&self, namespace: &str, job: &str) -> Result<(), Error> {
        remove(&self.client, namespace, job).await
    }
}

pub(crate) async fn remove(client: &Client, namespace: &str, name: &str) -> Result<(), Error> {
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    let what = format!("delete the Job {name} in {namespace}");
    match jobs
        .delete(name, &DeleteParams::background())
        .await
        .map_err(Error::api(what))
    {
        Err(error) if !error.is_missing() => Err(error),
        _ => Ok(()),
    }
}
