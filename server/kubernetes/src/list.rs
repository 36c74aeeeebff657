//! What a cluster has to run programs in, a page at a time: rows come as they are read, and a kind
//! that may not be listed leaves the rest.

mod object;
mod row;

use std::collections::HashSet;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use kube::api::{Api, ApiResource, ListParams};
use kube::{Resource, ResourceExt};

use crate::{Class, Cluster, Error, Kind};

pub(crate) use object::Item;
pub use row::{Pods, Row};

/// The first page is small, so that something is to be seen at once.
const FIRST_PAGE: u32 = 100;

/// Objects of a further page. A pod takes some 5 KiB, of which little is kept.
const PAGE: u32 = 500;

/// What is ours is no target.
const NOT_OURS: &str = "app.kubernetes.io/managed-by!=mirrord-server";

/// What is wanted of a namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Only these kinds; all of them when absent.
    pub kinds: Option<Vec<Kind>>,
    /// Only what has these labels, as the API takes it in `labelSelector`.
    pub labels: Option<String>,
}

/// A part of the answer.
#[derive(Debug)]
pub enum Listed {
    /// Some rows.
    Rows(Vec<Row>),
    /// What could not be listed, and why. After one about the whole cluster nothing comes.
    Problem {
        /// The kind; none: the whole cluster.
        kind: Option<Kind>,
        /// Why.
        error: Error,
    },
}

impl Query {
    /// The kinds that are asked for, in the order in which people look for them.
    pub fn kinds(&self) -> Vec<Kind> {
        const ORDER: [Kind; 9] = [
            Kind::Deployment,
            Kind::StatefulSet,
            Kind::DaemonSet,
            Kind::Rollout,
            Kind::Service,
            Kind::Job,
            Kind::CronJob,
            Kind::ReplicaSet,
            Kind::Pod,
        ];
        let wanted = |kind: &Kind| self.kinds.as_ref().is_none_or(|kinds| kinds.contains(kind));
        ORDER.into_iter().filter(wanted).collect()
    }

    pub(crate) fn selector(&self) -> String {
        match &self.labels {
            Some(labels) if !labels.is_empty() => format!("{labels},{NOT_OURS}"),
            _ => NOT_OURS.to_owned(),
        }
    }

    /// Parts of something else that is listed itself are left out, unless they are asked for.
    pub(crate) fn wants(&self, item: &Item, kind: Kind) -> bool {
        let owned_by = |owner: &str| {
            let owners = item.owner_references().iter();
            owners.into_iter().any(|reference| reference.kind == owner)
        };
        match kind {
            _ if self.kinds.is_some() => true,
            Kind::ReplicaSet => !owned_by("Deployment") && !owned_by("Rollout"),
            Kind::Job => !owned_by("CronJob"),
            _ => true,
        }
    }
}

impl Cluster {
    /// The targets of this cluster's namespace. All kinds are asked for beside each other.
    pub fn list(&self, query: &Query) -> impl Stream<Item = Listed> + Send + use<> {
        let kinds = query.kinds().into_iter();
        let pages = kinds.map(|kind| Pages::new(self.clone(), kind, query.clone()).stream());
        let all = stream::select_all(pages.collect::<Vec<_>>());
        // One that is about the whole cluster would come once for each kind.
        all.scan(false, |ended, listed| {
            let last = std::mem::replace(
                ended,
                matches!(listed, Listed::Problem { kind: None, .. }) || *ended,
            );
            std::future::ready((!last).then_some(listed))
        })
    }

    pub(crate) fn items(&self, kind: Kind) -> Api<Item> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind))
    }

    /// Whether there is such a kind at all: Rollouts are Argo's.
    pub(crate) async fn has(&self, kind: Kind) -> bool {
        if kind != Kind::Rollout {
            return true;
        }
        let found = self
            .client
            .list_api_group_resources("argoproj.io/v1alpha1")
            .await;
        match found {
            Ok(found) => found.resources.iter().any(|one| one.name == "rollouts"),
            // When it cannot be known, the kind's own answer is the better one.
            Err(kube::Error::Api(answer)) => answer.code != 404,
            Err(_) => true,
        }
    }
}

/// The API's words for a kind.
pub(crate) fn resource(kind: Kind) -> ApiResource {
    use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core};
    match kind {
        // Labels choose pods.
        Kind::Pod | Kind::Label => ApiResource::erase::<core::Pod>(&()),
        Kind::Deployment => ApiResource::erase::<apps::Deployment>(&()),
        Kind::StatefulSet => ApiResource::erase::<apps::StatefulSet>(&()),
        Kind::DaemonSet => ApiResource::erase::<apps::DaemonSet>(&()),
        Kind::ReplicaSet => ApiResource::erase::<apps::ReplicaSet>(&()),
        Kind::Job => ApiResource::erase::<batch::Job>(&()),
        Kind::CronJob => ApiResource::erase::<batch::CronJob>(&()),
        Kind::Service => ApiResource::erase::<core::Service>(&()),
        Kind::Rollout => ApiResource {
            group: "argoproj.io".into(),
            version: "v1alpha1".into(),
            api_version: "argoproj.io/v1alpha1".into(),
            kind: "Rollout".into(),
            plural: "rollouts".into(),
        },
    }
}

/// The pages of one kind.
struct Pages {
    cluster: Cluster,
    kind: Kind,
    query: Query,
    next: Next,
    /// Names that were told, for when the list begins anew.
    told: HashSet<String>,
    restarts: u32,
}

enum Next {
    First,
    After(String),
    End,
}

impl Pages {
    fn new(cluster: Cluster, kind: Kind, query: Query) -> Pages {
        Pages {
            cluster,
            kind,
            query,
            next: Next::First,
            told: HashSet::new(),
            restarts: 0,
        }
    }

    fn stream(self) -> BoxStream<'static, Listed> {
        stream::unfold(self, |mut pages| async move {
            let listed = pages.page().await?;
            Some((listed, pages))
        })
        .boxed()
    }

    async fn page(&mut self) -> Option<Listed> {
        loop {
            let params = ListParams::default().labels(&self.query.selector());
            let params = match &self.next {
                Next::First if self.told.is_empty() => params.limit(FIRST_PAGE),
                Next::First => params.limit(PAGE),
                Next::After(token) => params.limit(PAGE).continue_token(token),
                Next::End => return None,
            };
            let what = format!(
                "list the {} in the namespace {}",
                resource(self.kind).plural,
                self.cluster.namespace
            );
            let page = self.cluster.items(self.kind).list(&params).await;
            let page = match page.map_err(Error::api(what)) {
                Ok(page) => page,
                // The cluster forgot where we were: it keeps that for some minutes only.
                Err(error) if error.status() == Some(410) && self.restarts < 3 => {
                    self.restarts += 1;
                    self.next = Next::First;
                    continue;
                }
                Err(error) => {
                    self.next = Next::End;
                    return self.problem(error).await;
                }
            };
            self.next = match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => Next::After(token),
                None => Next::End,
            };
            let rows: Vec<Row> = page
                .items
                .iter()
                .filter(|item| self.query.wants(item, self.kind))
                .map(|item| Row::of(item, self.kind))
                .filter(|row| self.told.insert(row.name.clone()))
                .collect();
            if !rows.is_empty() {
                return Some(Listed::Rows(rows));
            }
        }
    }

    async fn problem(&self, error: Error) -> Option<Listed> {
        let asked = self.query.kinds.is_some();
        let unknown = matches!(error.class(), Class::Forbidden | Class::Missing);
        if !asked && unknown && !self.cluster.has(self.kind).await {
            return None;
        }
        let whole = matches!(error.class(), Class::Unreached | Class::NoCluster);
        Some(Listed::Problem {
            kind: (!whole).then_some(self.kind),
            error,
        })
    }
}

impl Item {
    /// Its name; every object of the API has one.
    pub(crate) fn name(&self) -> String {
        self.name_any()
    }

    fn owner_references(
        &self,
    ) -> &[k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference] {
        self.meta().owner_references.as_deref().unwrap_or_default()
    }
}
