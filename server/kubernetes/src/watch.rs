//! A list of targets that stays true: what changes is told as it changes. Where a kind may be
//! listed but not watched it is listed again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};

use crate::list::{Item, Query, resource};
use crate::{Cluster, Error, Kind, Listed, Row};

/// Between two looks at a kind that may not be watched.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What changed.
#[derive(Debug)]
pub enum Change {
    /// New, or different now.
    Updated(Row),
    /// The path of what is gone.
    Removed(String),
    /// A kind that cannot be followed, and why; told once for each reason.
    Problem {
        /// The kind.
        kind: Kind,
        /// Why.
        error: Error,
    },
}

impl Cluster {
    /// The targets, all of them first, and then what changes, until it is dropped. A connection that
    /// breaks is made again with growing pauses; a watch that the cluster cannot continue (410)
    /// begins anew, and only differences are told.
    pub fn watch(&self, query: &Query) -> impl Stream<Item = Change> + Send + use<> {
        let kinds = query.kinds().into_iter();
        let each = kinds.map(|kind| follow(self.clone(), kind, query.clone()));
        stream::select_all(each.collect::<Vec<_>>())
    }
}

type Events = BoxStream<'static, Result<watcher::Event<Item>, watcher::Error>>;

/// One kind.
struct Following {
    cluster: Cluster,
    kind: Kind,
    query: Query,
    /// What was told.
    known: BTreeMap<String, Row>,
    /// What a list that is being read has so far.
    reading: BTreeMap<String, Row>,
    problem: Option<String>,
    mode: Mode,
}

enum Mode {
    Watched(Events),
    Listed,
    Over,
}

fn follow(cluster: Cluster, kind: Kind, query: Query) -> BoxStream<'static, Change> {
    let config = watcher::Config::default().labels(&query.selector());
    let events = watcher(cluster.items(kind), config)
        .default_backoff()
        .boxed();
    let following = Following {
        cluster,
        kind,
        query,
        known: BTreeMap::new(),
        reading: BTreeMap::new(),
        problem: None,
        mode: Mode::Watched(events),
    };
    stream::unfold(following, |mut following| async move {
        let changes = following.next().await?;
        Some((stream::iter(changes), following))
    })
    .flatten()
    .boxed()
}

impl Following {
    async fn next(&mut self) -> Option<Vec<Change>> {
        match &mut self.mode {
            Mode::Watched(events) => {
                let event = events.next().await?;
                Some(match event {
                    Ok(event) => self.event(event),
                    Err(error) => self.failed(error).await,
                })
            }
            Mode::Listed => {
                tokio::time::sleep(LOOK_AGAIN).await;
                Some(self.list().await)
            }
            Mode::Over => None,
        }
    }

    fn event(&mut self, event: watcher::Event<Item>) -> Vec<Change> {
        use watcher::Event::{Apply, Delete, Init, InitApply, InitDone};
        match event {
            Init => self.reading.clear(),
            InitApply(item) if self.query.wants(&item, self.kind) => {
                let row = Row::of(&item, self.kind);
                self.reading.insert(row.path(), row);
            }
            InitDone => {
                self.problem = None;
                let now = std::mem::take(&mut self.reading);
                return self.replace(now);
            }
            Apply(item) if self.query.wants(&item, self.kind) => {
                let row = Row::of(&item, self.kind);
                let before = self.known.insert(row.path(), row.clone());
                // Most changes of an object are none of a row.
                if before.as_ref() != Some(&row) {
                    return vec![Change::Updated(row)];
                }
            }
            Delete(item) => {
                let path = Row::of(&item, self.kind).path();
                if self.known.remove(&path).is_some() {
                    return vec![Change::Removed(path)];
                }
            }
            Apply(_) | InitApply(_) => {}
        }
        Vec::new()
    }

    /// The whole list as it is now; the differences.
    fn replace(&mut self, now: BTreeMap<String, Row>) -> Vec<Change> {
        let gone = self.known.keys().filter(|path| !now.contains_key(*path));
        let mut changes: Vec<Change> = gone.cloned().map(Change::Removed).collect();
        let new = now
            .iter()
            .filter(|(path, row)| self.known.get(*path) != Some(*row));
        changes.extend(new.map(|(_, row)| Change::Updated(row.clone())));
        self.known = now;
        changes
    }

    async fn failed(&mut self, error: watcher::Error) -> Vec<Change> {
        let (asked, source) = match error {
            watcher::Error::InitialListFailed(source) => ("list", source),
            watcher::Error::WatchStartFailed(source) | watcher::Error::WatchFailed(source) => {
                ("watch", source)
            }
            // The watcher begins anew by itself (410 is the usual one).
            watcher::Error::WatchError(status) => {
                tracing::debug!("a watch of {} ended: {}", self.kind, status.message);
                return Vec::new();
            }
            watcher::Error::NoResourceVersion => {
                tracing::warn!("{} cannot be watched", self.kind);
                self.mode = Mode::Listed;
                return self.list().await;
            }
        };
        let plural = resource(self.kind).plural;
        let what = format!(
            "{asked} the {plural} in the namespace {}",
            self.cluster.namespace
        );
        let error = Error::api(what)(source);
        match (asked, error.status()) {
            // May be listed and not watched.
            ("watch", Some(403)) => {
                self.mode = Mode::Listed;
                return self.list().await;
            }
            ("list", Some(403 | 404)) => {
                self.mode = Mode::Over;
                let absent = self.query.kinds.is_none() && !self.cluster.has(self.kind).await;
                if absent {
                    return Vec::new();
                }
            }
            _ => {}
        }
        self.tell(error)
    }

    async fn list(&mut self) -> Vec<Change> {
        let query = Query {
            kinds: Some(vec![self.kind]),
            labels: self.query.labels.clone(),
        };
        let mut rows = BTreeMap::new();
        let mut listed = std::pin::pin!(self.cluster.list(&query));
        while let Some(part) = listed.next().await {
            match part {
                Listed::Rows(part) => rows.extend(part.into_iter().map(|row| (row.path(), row))),
                Listed::Problem { error, .. } => return self.tell(error),
            }
        }
        self.replace(rows)
    }

    /// A problem, unless it is the one that was told last.
    fn tell(&mut self, error: Error) -> Vec<Change> {
        let words = error.to_string();
        if self.problem.as_ref() == Some(&words) {
            return Vec::new();
        }
        self.problem = Some(words);
        let kind = self.kind;
        vec![Change::Problem { kind, error }]
    }
}
