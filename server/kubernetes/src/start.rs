//! Creating an agent, and waiting for it by what the cluster says: never by a time-out where the
//! cluster knows better.

mod words;

use std::time::Duration;

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, DeleteParams, LogParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, ResourceExt};

use crate::{Cluster, Container, Error, job};

/// A look at a pod that the cluster does not answer within this time says nothing.
const LOOK_WITHIN: Duration = Duration::from_secs(5);

/// Between two looks at a pod whose log broke off.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What an agent is started with.
#[derive(Debug, Clone)]
pub struct AgentTerms {
    /// The session's id: a part of the agent's name.
    pub session: String,
    /// The public key (hex) of the only session that it will serve.
    pub session_key: String,
    /// Its image.
    pub image: String,
    /// How long it waits for a session whose link was lost.
    pub grace: Duration,
    /// How long its start may take when the cluster says nothing that decides.
    pub start_timeout: Duration,
}

/// An agent that runs in the cluster. Dropped, it is left alone: it ends with its session.
#[derive(Clone)]
pub struct RunningAgent {
    client: Client,
    /// Its namespace.
    pub namespace: String,
    /// Its Job.
    pub job: String,
    /// Its pod.
    pub pod: String,
    /// Its first line: version, fingerprint and port. It comes from `pods/log`, which nobody but
    /// the agent's own container writes.
    pub first_line: String,
}

impl Cluster {
    /// Starts an agent beside a container, unless `given_up` completes first. When it fails, nothing
    /// of it remains.
    ///
    /// # Errors
    /// [`Error::Start`] with the cluster's words, [`Error::Slow`] when it has none.
    pub async fn start_agent(
        &self,
        container: &Container,
        terms: &AgentTerms,
        given_up: impl Future<Output = ()>,
    ) -> Result<RunningAgent, Error> {
        let namespace = &container.namespace;
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), namespace);
        let what = format!("create a Job in the namespace {namespace}");
        jobs.create(&PostParams::default(), &job::agent(container, terms))
            .await
            .map_err(Error::api(what))?;
        let started = tokio::select! {
            started = self.follow(namespace, terms) => started,
            () = given_up => Err(Error::GivenUp),
        };
        if started.is_err()
            && let Err(error) = remove(&self.client, namespace, &job::name(terms)).await
        {
            tracing::warn!("an agent that did not start could not be removed: {error}");
        }
        started
    }

    async fn follow(&self, namespace: &str, terms: &AgentTerms) -> Result<RunningAgent, Error> {
        let name = job::name(terms);
        let mut last = "the Job was created".to_owned();
        let waited = tokio::time::timeout(
            terms.start_timeout,
            self.until_it_runs(namespace, &name, &mut last),
        );
        let slow = |last: String| Error::Slow {
            what: format!("starting the agent {name} in {namespace}"),
            seconds: terms.start_timeout.as_secs(),
            last,
        };
        let pod = match waited.await {
            Ok(pod) => pod?,
            Err(_) => return Err(slow(last)),
        };
        let line = tokio::time::timeout(terms.start_timeout, self.first_line(namespace, &pod));
        let first_line = match line.await {
            Ok(line) => line?,
            Err(_) => return Err(slow("it runs, and its log is empty".into())),
        };
        Ok(RunningAgent {
            client: self.client.clone(),
            namespace: namespace.to_owned(),
            job: name,
            pod,
            first_line,
        })
    }

    /// The name of the Job's pod, once its container runs.
    async fn until_it_runs(
        &self,
        namespace: &str,
        job: &str,
        last: &mut String,
    ) -> Result<String, Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let of_job = watcher::Config::default().labels(&format!("job-name={job}"));
        let mut pods = watcher(pods, of_job)
            .default_backoff()
            .applied_objects()
            .boxed();
        // Pods that are refused (quota, pod security, webhooks) are only told of by events.
        let about_job = watcher::Config::default().fields(&format!(
            "involvedObject.kind=Job,involvedObject.name={job}"
        ));
        let mut events = watcher(events, about_job)
            .default_backoff()
            .applied_objects()
            .boxed();
        let failed = |words: String| Error::Start {
            namespace: namespace.to_owned(),
            words,
        };
        loop {
            tokio::select! {
                pod = pods.next() => match pod {
                    Some(Ok(pod)) => match words::of_pod(&pod) {
                        words::State::Runs => return Ok(pod.name_any()),
                        words::State::Failed(words) => return Err(failed(words)),
                        words::State::Waits(words) => *last = words,
                    },
                    // The watch goes on by itself; what it says is worth knowing when time is over.
                    Some(Err(error)) => *last = error.to_string(),
                    None => return Err(failed("the watch of its pods ended".into())),
                },
                Some(event) = events.next() => match event {
                    Ok(event) => {
                        if let Some(words) = words::of_event(&event) {
                            return Err(failed(words));
                        }
                    }
                    // Without the right to see events, pods are all there is.
                    Err(error) => tracing::debug!("events of {job}: {error}"),
                },
            }
        }
    }

    async fn first_line(&self, namespace: &str, pod: &str) -> Result<String, Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let follow = LogParams {
            follow: true,
            ..LogParams::default()
        };
        let what = format!("read the log of the agent's pod {pod}");
        let log = pods
            .log_stream(pod, &follow)
            .await
            .map_err(Error::api(what.clone()))?;
        let line = log.lines().try_next().await;
        let line = line.map_err(|source| Error::Local { what, source })?;
        let line = line.ok_or_else(|| Error::Start {
            namespace: namespace.to_owned(),
            words: "it ended without a word".into(),
        })?;
        // Its last words on standard error come by the same way.
        match line.strip_prefix("mirrord-agent: ") {
            Some(words) => Err(Error::Start {
                namespace: namespace.to_owned(),
                words: words.to_owned(),
            }),
            None => Ok(line),
        }
    }
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
            Ok(Ok(Some(pod))) => words::ending(&pod).map(|words| self.ended(&words)),
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
        format!("the agent's pod {} ended ({words})", self.pod)
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
                    if let Some(words) = words::ending(&pod) {
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

    /// Removes its Job and pod.
    ///
    /// # Errors
    /// [`Error::Api`] when the cluster refuses; one that is gone already is none.
    pub async fn remove(&self) -> Result<(), Error> {
        remove(&self.client, &self.namespace, &self.job).await
    }
}

impl Cluster {
    /// Removes an agent by its Job's name, as [`RunningAgent::remove`].
    ///
    /// # Errors
    /// [`Error::Api`] when the cluster refuses; one that is gone already is none.
    pub async fn remove_agent(&self, namespace: &str, job: &str) -> Result<(), Error> {
        remove(&self.client, namespace, job).await
    }
}

async fn remove(client: &Client, namespace: &str, name: &str) -> Result<(), Error> {
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
