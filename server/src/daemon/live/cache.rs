//! What is known of clusters, for answers that may not wait: each question is answered from what
//! was heard last, and asked again in the background when that is old.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures::StreamExt;
use mirrord_kubernetes::{
    Access, Class, Cluster, Description, Environment, Error, Listed, Query, Row, Target,
};

use crate::daemon::clusters::Clusters;

/// What is younger is not asked for again.
const FRESH: Duration = Duration::from_secs(10);

/// What is older is not told any more.
const STALE: Duration = Duration::from_secs(120);

/// A cluster that answers later is not waited for; the next question asks again.
const DEADLINE: Duration = Duration::from_secs(20);

/// Rows of one namespace that are kept.
const ROWS: usize = 5000;

/// Answers that are kept.
const KEPT: usize = 64;

/// What is known.
#[derive(Default)]
pub struct Cache(Mutex<HashMap<Key, Entry>>);

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// Which cluster, with the namespace.
    pub place: Place,
    /// What about it.
    pub about: About,
}

/// Which cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    kubeconfig: Option<std::path::PathBuf>,
    context: Option<String>,
    namespace: Option<String>,
    accept_invalid_certificates: bool,
    environment: Arc<std::collections::BTreeMap<String, String>>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum About {
    /// The targets of the namespace.
    Targets,
    /// The cluster's namespaces.
    Namespaces,
    /// One target.
    Target(Target),
}

/// What was heard.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Of [`About::Targets`].
    Targets(Arc<Vec<Row>>),
    /// Of [`About::Namespaces`].
    Namespaces(Arc<Vec<String>>),
    /// Of [`About::Target`].
    Target(Arc<Description>),
    /// The target is not there.
    Missing(String),
}

#[derive(Default)]
struct Entry {
    /// None: it could not be had.
    answer: Option<Answer>,
    asked: Option<Instant>,
    heard: Option<Instant>,
}

impl Place {
    /// Where a cluster is, and as whom it is asked.
    pub fn new(access: Access, environment: &Environment) -> Place {
        Place {
            kubeconfig: access.kubeconfig,
            context: access.context,
            namespace: access.namespace,
            accept_invalid_certificates: access.accept_invalid_certificates,
            environment: Arc::new(environment.variables().clone()),
        }
    }

    fn access(&self) -> Access {
        Access {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            namespace: self.namespace.clone(),
            accept_invalid_certificates: self.accept_invalid_certificates,
        }
    }
}

impl Cache {
    /// What is known, at once; and whether it is being asked for now. `heard` is called when
    /// something else was heard than what was known.
    pub fn get(
        self: &Arc<Self>,
        clusters: &Arc<Clusters>,
        key: &Key,
        heard: impl FnOnce() + Send + 'static,
    ) -> (Option<Answer>, bool) {
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        let old = |instant: Option<Instant>, limit| {
            instant.is_none_or(|instant: Instant| instant.elapsed() > limit)
        };
        let answer = entry.answer.clone().filter(|_| !old(entry.heard, STALE));
        let under_way = !old(entry.asked, DEADLINE) && entry.asked > entry.heard;
        if under_way || !old(entry.heard, FRESH) {
            return (answer, under_way);
        }
        entry.asked = Some(Instant::now());
        if entries.len() > KEPT {
            entries.retain(|_, entry| !old(entry.asked, STALE));
        }
        drop(entries);
        let (cache, clusters, key) = (Arc::clone(self), Arc::clone(clusters), key.clone());
        tokio::spawn(async move {
            let asked = ask(&clusters, &key);
            let answer = match tokio::time::timeout(DEADLINE, asked).await {
                Ok(Ok(answer)) => Some(answer),
                Ok(Err(error)) => {
                    tracing::debug!("no live values: {error}");
                    None
                }
                Err(_) => None,
            };
            if cache.set(&key, answer) {
                heard();
            }
        });
        (answer, true)
    }

    /// True: it is another answer than before.
    fn set(&self, key: &Key, answer: Option<Answer>) -> bool {
        let mut entries = self.lock();
        let entry = entries.entry(key.clone()).or_default();
        entry.heard = Some(Instant::now());
        let changed = !same(entry.answer.as_ref(), answer.as_ref());
        entry.answer = answer;
        changed
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(|broken| broken.into_inner())
    }
}

fn same(one: Option<&Answer>, other: Option<&Answer>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(Answer::Targets(a)), Some(Answer::Targets(b))) => a == b,
        (Some(Answer::Namespaces(a)), Some(Answer::Namespaces(b))) => a == b,
        (Some(Answer::Target(a)), Some(Answer::Target(b))) => a == b,
        (Some(Answer::Missing(a)), Some(Answer::Missing(b))) => a == b,
        _ => false,
    }
}

async fn ask(clusters: &Arc<Clusters>, key: &Key) -> Result<Answer, Error> {
    let environment = Environment::of((*key.place.environment).clone());
    let about = key.about.clone();
    clusters
        .with(key.place.access(), environment, |cluster| async move {
            match about {
                About::Targets => Ok(Answer::Targets(Arc::new(rows(&cluster).await?))),
                About::Namespaces => Ok(Answer::Namespaces(Arc::new(cluster.namespaces().await?))),
                About::Target(target) => match cluster.describe(&target).await {
                    Ok(described) => Ok(Answer::Target(Arc::new(described))),
                    Err(error) if error.class() == Class::Missing => {
                        Ok(Answer::Missing(error.to_string()))
                    }
                    Err(error) => Err(error),
                },
            }
        })
        .await
}

async fn rows(cluster: &Cluster) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    let mut parts = std::pin::pin!(cluster.list(&Query::default()));
    while let Some(part) = parts.next().await {
        match part {
            Listed::Rows(part) => rows.extend(part),
            Listed::Problem { kind: None, error } => return Err(error),
            // The other kinds are worth offering.
            Listed::Problem { error, .. } => tracing::debug!("not offered: {error}"),
        }
        if rows.len() >= ROWS {
            rows.truncate(ROWS);
            break;
        }
    }
    Ok(rows)
}
