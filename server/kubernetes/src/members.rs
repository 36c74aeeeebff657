//! The pods of a workload as they come and go, for a session that covers all of them. What is told
//! is always the whole list as it is now, so that whoever follows it has no history to keep.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use tokio::time::{Instant, sleep, sleep_until};

use crate::resolve::containers;
use crate::{Cluster, Error, Target};

/// Between two looks at pods that may be listed and not watched, and at a workload that cannot be
/// read.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How often the workload is asked which pods are its: a Service's selector may be changed, and a
/// CronJob runs another job each time.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// A pod of a workload. Whether it is ready is left out: an agent serves it either way, and a pod
/// whose readiness comes and goes is no news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub pod: String,
    /// Its UID: a pod of the same name that comes later is another one.
    pub uid: String,
    /// Its node.
    pub node: String,
    /// The container that is meant, while it runs.
    pub container: Option<String>,
    /// It is being removed.
    pub leaving: bool,
}

impl Member {
    /// A pod that is there to be served; one that has ended is none.
    fn of(pod: &Pod, container: Option<&str>) -> Option<Member> {
        let status = pod.status.as_ref();
        let phase = status.and_then(|status| status.phase.as_deref());
        if matches!(phase, Some("Succeeded" | "Failed")) {
            return None;
        }
        let spec = pod.spec.as_ref();
        Some(Member {
            pod: pod.name_any(),
            uid: pod.uid()?,
            node: spec
                .and_then(|spec| spec.node_name.clone())
                .unwrap_or_default(),
            container: containers::choose(pod, container)
                .ok()
                .filter(|_| phase == Some("Running"))
                .map(|container| container.name),
            leaving: pod.metadata.deletion_timestamp.is_some(),
        })
    }
}

/// What whoever follows a workload hears.
#[derive(Debug)]
pub enum Followed {
    /// Its pods as they are now, the oldest first; only told when they are others than before.
    Members(Vec<Member>),
    /// It cannot be followed now; told once for each reason. Another try follows.
    Problem(Error),
}

impl Cluster {
    /// Follows the pods of `target` until this is dropped. A watch that the cluster cannot continue
    /// (410), or that breaks, begins anew; where pods may be listed and not watched they are listed
    /// again and again.
    pub async fn follow_members(&self, target: &Target, tell: impl FnMut(Followed)) {
        let mut following = Following {
            cluster: self,
            target,
            tell,
            told: None,
            problem: None,
            pods: BTreeMap::new(),
        };
        loop {
            match self.selector(target).await {
                Ok(selector) => following.watch(&selector).await,
                Err(error) => {
                    following.failed(error);
                    sleep(LOOK_AGAIN).await;
                }
            }
        }
    }
}

struct Following<'a, T> {
    cluster: &'a Cluster,
    target: &'a Target,
    tell: T,
    told: Option<Vec<Member>>,
    problem: Option<String>,
    /// By UID, with what orders them.
    pods: BTreeMap<String, (Order, Member)>,
}

/// The oldest first; of one age, by name.
type Order = (Option<Time>, String);

impl<T: FnMut(Followed)> Following<'_, T> {
    /// Follows the pods with these labels; ends when the workload has others.
    async fn watch(&mut self, selector: &str) {
        let config = watcher::Config::default().labels(selector);
        let mut events = watcher(self.pods_api(), config).default_backoff().boxed();
        let mut ask_at = Instant::now() + ASK_AGAIN;
        let mut reading = BTreeMap::new();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = sleep_until(ask_at) => {
                    ask_at = Instant::now() + ASK_AGAIN;
                    if self.is_another(selector).await {
                        return;
                    }
                    continue;
                }
            };
            match event {
                Some(Ok(event)) => self.event(event, &mut reading),
                Some(Err(error)) => {
                    if self.may_not_watch(error) {
                        return self.list(selector).await;
                    }
                }
                None => return,
            }
        }
    }

    fn event(
        &mut self,
        event: watcher::Event<Pod>,
        reading: &mut BTreeMap<String, (Order, Member)>,
    ) {
        use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
        match event {
            Init => reading.clear(),
            InitApply(pod) => self.put(&pod, reading),
            InitDone => {
                self.problem = None;
                self.pods = std::mem::take(reading);
                self.say();
            }
            Apply(pod) => {
                let mut pods = std::mem::take(&mut self.pods);
                self.put(&pod, &mut pods);
                self.pods = pods;
                self.say();
            }
            Delete(pod) => {
                self.pods.remove(&pod.uid().unwrap_or_default());
                self.say();
            }
        }
    }

    fn put(&self, pod: &Pod, pods: &mut BTreeMap<String, (Order, Member)>) {
        let uid = pod.uid().unwrap_or_default();
        let age = pod.creation_timestamp();
        match Member::of(pod, self.target.container.as_deref()) {
            Some(member) => drop(pods.insert(uid, ((age, member.pod.clone()), member))),
            None => drop(pods.remove(&uid)),
        }
    }

    /// Tells the pods, if they are others than were told.
    fn say(&mut self) {
        let mut pods: Vec<_> = self.pods.values().collect();
        pods.sort_by(|(a, _), (b, _)| a.cmp(b));
        let members: Vec<Member> = pods.into_iter().map(|(_, member)| member.clone()).collect();
        if self.told.as_ref() != Some(&members) {
            self.told = Some(members.clone());
            (self.tell)(Followed::Members(members));
        }
    }

    /// Whether the pods may be listed and not watched; any other trouble is told.
    fn may_not_watch(&mut self, error: watcher::Error) -> bool {
        let (asked, source) = match error {
            watcher::Error::InitialListFailed(source) => ("list", source),
            watcher::Error::WatchStartFailed(source) | watcher::Error::WatchFailed(source) => {
                ("watch", source)
            }
            // The watcher begins anew by itself (410 is the usual one).
            watcher::Error::WatchError(status) => {
                tracing::debug!("a watch of pods ended: {}", status.message);
                return false;
            }
            watcher::Error::NoResourceVersion => return true,
        };
        let error = self.error(asked, source);
        if asked == "watch" && error.status() == Some(403) {
            tracing::info!("{error}; they are listed again and again");
            return true;
        }
        self.failed(error);
        false
    }

    /// Without a watch; ends when the workload has other pods.
    async fn list(&mut self, selector: &str) {
        let parameters = ListParams::default().labels(selector);
        loop {
            match self.pods_api().list(&parameters).await {
                Ok(list) => {
                    let mut pods = BTreeMap::new();
                    for pod in &list.items {
                        self.put(pod, &mut pods);
                    }
                    self.problem = None;
                    self.pods = pods;
                    self.say();
                }
                Err(source) => {
                    let error = self.error("list", source);
                    self.failed(error);
                }
            }
            sleep(LOOK_AGAIN).await;
            if self.is_another(selector).await {
                return;
            }
        }
    }

    /// Whether the workload has other pods now. One that cannot be read keeps those that it had.
    async fn is_another(&mut self, selector: &str) -> bool {
        match self.cluster.selector(self.target).await {
            Ok(now) => now != selector,
            Err(error) => {
                tracing::debug!("asking which pods are of {}: {error}", self.target);
                false
            }
        }
    }

    fn error(&self, asked: &str, source: kube::Error) -> Error {
        let (target, namespace) = (self.target, &self.cluster.namespace);
        Error::api(format!("{asked} the pods of {target} in {namespace}"))(source)
    }

    /// Tells a problem, unless it is the one that was told last.
    fn failed(&mut self, error: Error) {
        let words = error.to_string();
        if self.problem.as_ref() != Some(&words) {
            self.problem = Some(words);
            (self.tell)(Followed::Problem(error));
        }
    }

    fn pods_api(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client.clone(), &self.cluster.namespace)
    }
}
