//! Creating an agent, and waiting for it by what the cluster says: never by a time-out where the
//! cluster knows better.

pub(crate) mod words;

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::api::{Api, LogParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};

use crate::running::{RunningAgent, remove};
use crate::{AgentTerms, Cluster, Error, Plan, ephemeral, job};

/// The agent's container in a pod of its own.
const AGENT: &str = "agent";

/// What is waited for.
struct Awaited<'a> {
    namespace: &'a str,
    /// The Job, or the container.
    name: &'a str,
    /// The target's pod, for a container in it.
    pod: Option<&'a str>,
}

impl Cluster {
    /// Starts an agent as it was planned, unless `given_up` completes first. When it fails, nothing
    /// of it remains but the entry of an ephemeral container, which Kubernetes cannot remove.
    ///
    /// # Errors
    /// [`Error::Start`] with the cluster's words, [`Error::Slow`] when it has none.
    pub async fn start_agent(
        &self,
        plan: &Plan,
        terms: &AgentTerms,
        given_up: impl Future<Output = ()>,
    ) -> Result<RunningAgent, Error> {
        let namespace = &self.create(plan, terms, false).await?;
        let name = &terms.name();
        let in_pod = plan.form.is_in_the_targets_pod();
        let pod = plan.found.as_ref().map(|found| &found.container.pod[..]);
        let awaited = Awaited {
            namespace,
            name,
            pod: pod.filter(|_| in_pod),
        };
        let started = tokio::select! {
            started = self.follow(&awaited, terms) => started,
            () = given_up => Err(Error::GivenUp),
        };
        if started.is_err()
            && !in_pod
            && let Err(error) = remove(&self.client, namespace, name).await
        {
            tracing::warn!("an agent that did not start could not be removed: {error}");
        }
        started
    }

    /// Creates what the agent needs, or (`try_only`) asks the API server whether it would: with
    /// everything that stands before a real one, admission and quotas included. The result is the
    /// namespace.
    ///
    /// # Errors
    /// [`Error::Api`] in the cluster's words.
    pub(crate) async fn create(
        &self,
        plan: &Plan,
        terms: &AgentTerms,
        try_only: bool,
    ) -> Result<String, Error> {
        let dry_run = try_only;
        let job = match (plan.form, &plan.found) {
            (form, Some(found)) if form.is_in_the_targets_pod() => {
                let container = &found.container;
                let pods: Api<Pod> = Api::namespaced(self.client.clone(), &container.namespace);
                let patch = Patch::Strategic(ephemeral::patch(found, form, terms));
                let options = PatchParams {
                    dry_run,
                    ..PatchParams::default()
                };
                let what = format!("put a container into the pod {}", container.pod);
                pods.patch_ephemeral_containers(&container.pod, &options, &patch)
                    .await
                    .map_err(Error::api(what))?;
                return Ok(container.namespace.clone());
            }
            (_, Some(found)) => job::agent(&found.container, terms),
            (_, None) => job::targetless(&self.namespace, terms),
        };
        let namespace = job.namespace().unwrap_or_default();
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &namespace);
        let options = PostParams {
            dry_run,
            ..PostParams::default()
        };
        let what = format!("create a Job in the namespace {namespace}");
        jobs.create(&options, &job)
            .await
            .map_err(Error::api(what))?;
        Ok(namespace)
    }

    async fn follow(
        &self,
        awaited: &Awaited<'_>,
        terms: &AgentTerms,
    ) -> Result<RunningAgent, Error> {
        let limit = terms.settings.start_timeout();
        let mut last = "it was created".to_owned();
        let slow = |last: String| Error::Slow {
            what: format!(
                "starting the agent {} in {}",
                awaited.name, awaited.namespace
            ),
            seconds: limit.as_secs(),
            last,
        };
        let running = async {
            match awaited.pod {
                Some(pod) => self.until_its_container_runs(awaited, pod, &mut last).await,
                None => self.until_its_pod_runs(awaited, &mut last).await,
            }
        };
        let pod = match tokio::time::timeout(limit, running).await {
            Ok(pod) => pod?,
            Err(_) => return Err(slow(last)),
        };
        let container = match awaited.pod {
            Some(_) => awaited.name,
            None => AGENT,
        };
        let line = self.first_line(awaited.namespace, &pod, container);
        let first_line = match tokio::time::timeout(limit, line).await {
            Ok(line) => line?,
            Err(_) => return Err(slow("it runs, and its log is empty".into())),
        };
        Ok(RunningAgent {
            client: self.client.clone(),
            namespace: awaited.namespace.to_owned(),
            job: awaited.pod.is_none().then(|| awaited.name.to_owned()),
            pod,
            container: container.to_owned(),
            first_line,
        })
    }

    /// The name of the Job's pod, once its container runs.
    async fn until_its_pod_runs(
        &self,
        awaited: &Awaited<'_>,
        last: &mut String,
    ) -> Result<String, Error> {
        let (namespace, job) = (awaited.namespace, awaited.name);
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
        loop {
            tokio::select! {
                pod = pods.next() => match pod {
                    Some(Ok(pod)) => match words::of_pod(&pod, AGENT) {
                        words::State::Runs => return Ok(pod.name_any()),
                        words::State::Failed(words) => return Err(awaited.failed(words)),
                        words::State::Waits(words) => *last = words,
                    },
                    // The watch goes on by itself; what it says is worth knowing when time is over.
                    Some(Err(error)) => *last = error.to_string(),
                    None => return Err(awaited.failed("the watch of its pods ended".into())),
                },
                Some(event) = events.next() => match event {
                    Ok(event) => {
                        if let Some(words) = words::of_event(&event) {
                            return Err(awaited.failed(words));
                        }
                    }
                    // Without the right to see events, pods are all there is.
                    Err(error) => tracing::debug!("events of {job}: {error}"),
                },
            }
        }
    }

    /// The target's pod, once the agent's container runs in it.
    async fn until_its_container_runs(
        &self,
        awaited: &Awaited<'_>,
        pod: &str,
        last: &mut String,
    ) -> Result<String, Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), awaited.namespace);
        let this = watcher::Config::default().fields(&format!("metadata.name={pod}"));
        let mut pods = watcher(pods, this)
            .default_backoff()
            .applied_objects()
            .boxed();
        loop {
            match pods.next().await {
                Some(Ok(found)) if found.metadata.deletion_timestamp.is_some() => {
                    return Err(awaited.failed(format!("the target's pod {pod} is being deleted")));
                }
                Some(Ok(found)) => match words::of_pod(&found, awaited.name) {
                    words::State::Runs => return Ok(pod.to_owned()),
                    words::State::Failed(words) => return Err(awaited.failed(words)),
                    words::State::Waits(words) => *last = words,
                },
                Some(Err(error)) => *last = error.to_string(),
                None => return Err(awaited.failed("the watch of its pod ended".into())),
            }
        }
    }

    async fn first_line(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<String, Error> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let follow = LogParams {
            follow: true,
            container: Some(container.to_owned()),
            ..LogParams::default()
        };
        let what = format!("read the log of the agent's pod {pod}");
        let log = pods
            .log_stream(pod, &follow)
            .await
            .map_err(Error::api(what.clone()))?;
        let line = log.lines().try_next().await;
        let line = line.map_err(|source| Error::Local { what, source })?;
        let failed = |words: String| Error::Start {
            namespace: namespace.to_owned(),
            words,
        };
        let line = line.ok_or_else(|| failed("it ended without a word".into()))?;
        // Its last words on standard error come by the same way.
        match line.strip_prefix("mirrord-agent: ") {
            Some(words) => Err(failed(words.to_owned())),
            None => Ok(line),
        }
    }
}

impl Awaited<'_> {
    fn failed(&self, words: String) -> Error {
        Error::Start {
            namespace: self.namespace.to_owned(),
            words,
        }
    }
}
