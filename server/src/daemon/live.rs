//! Values that only the running daemon knows, for the language features: targets, and what is in
//! them. Nothing here waits: of a cluster is told what is known, and more when it was heard.

pub mod cache;

use std::cell::Cell;
use std::sync::Arc;

use mirrord_kubernetes::{Access, Description, Row};
use mirrord_language::{Document, Live, LivePort, LiveTarget, TargetState};
use mirrord_target::Target;

use self::cache::{About, Answer, Key, Place};
use crate::daemon::client::Client;
use crate::daemon::methods::{kube, targets_describe, text};
use crate::provider::list::local_targets;

/// What is there at this moment, for one document.
pub struct Now<'a> {
    client: &'a Arc<Client>,
    /// None: a template says which cluster it is.
    place: Option<Place>,
    complete: Cell<bool>,
}

impl<'a> Now<'a> {
    /// With the cluster that the document means.
    pub fn new(client: &'a Arc<Client>, document: &Document) -> Now<'a> {
        let place = document.cluster().map(|written| {
            let access = Access {
                kubeconfig: written.kubeconfig.map(Into::into),
                context: written.context,
                namespace: written.namespace,
                accept_invalid_certificates: written.accept_invalid_certificates,
            };
            Place::new(access, &kube::environment(client))
        });
        Now {
            client,
            place,
            complete: Cell::new(true),
        }
    }

    fn ask(&self, about: About) -> Option<Answer> {
        let place = self.place.clone()?;
        let daemon = &self.client.daemon;
        let client = Arc::downgrade(self.client);
        let heard = move || {
            if let Some(client) = client.upgrade() {
                text::refresh(&client);
            }
        };
        let key = Key { place, about };
        let (answer, under_way) = daemon.live.get(&daemon.clusters, &key, heard);
        if under_way {
            self.complete.set(false);
        }
        answer
    }

    fn inside(&self, target: &str) -> Option<Inside> {
        match target.parse().ok()? {
            Target::Kubernetes(target) => match self.ask(About::Target(target.clone()))? {
                Answer::Target(described) => Some(Inside::Cluster(described, target.container)),
                _ => None,
            },
            target => match targets_describe::look_into(&target) {
                Ok((_, container)) => Some(Inside::Here(container)),
                Err(error) => {
                    tracing::debug!("could not look into {target} for completion: {error:#}");
                    None
                }
            },
        }
    }
}

/// What is known of a target.
enum Inside {
    Here(mirrord_editor_protocol::targets::Container),
    /// With the container that is named.
    Cluster(Arc<Description>, Option<String>),
}

impl Inside {
    /// The containers of a cluster's target whose names are meant.
    fn meant(&self) -> Vec<&mirrord_kubernetes::describe::ContainerInfo> {
        let Inside::Cluster(described, named) = self else {
            return Vec::new();
        };
        let named = named.as_ref().or(described.main.as_ref());
        let containers = described.containers.iter();
        containers
            .filter(|container| Some(&container.name) == named)
            .collect()
    }
}

impl Live for Now<'_> {
    fn targets(&self, _namespace: Option<&str>) -> Vec<LiveTarget> {
        let rows = local_targets().unwrap_or_else(|error| {
            tracing::warn!("could not list targets for completion: {error:#}");
            Vec::new()
        });
        let mut targets: Vec<LiveTarget> = rows
            .into_iter()
            .map(|row| LiveTarget {
                detail: Some(row.reason.unwrap_or(row.name)),
                path: row.path,
            })
            .collect();
        if let Some(Answer::Targets(rows)) = self.ask(About::Targets) {
            targets.extend(rows.iter().map(|row| LiveTarget {
                path: row.path(),
                detail: Some(detail(row)),
            }));
        }
        targets
    }

    fn namespaces(&self) -> Vec<String> {
        match self.ask(About::Namespaces) {
            Some(Answer::Namespaces(names)) => names.to_vec(),
            _ => Vec::new(),
        }
    }

    fn containers(&self, target: &str, _namespace: Option<&str>) -> Vec<String> {
        match self.inside(target) {
            Some(Inside::Cluster(described, _)) => {
                let containers = described.containers.iter();
                containers.map(|container| container.name.clone()).collect()
            }
            _ => Vec::new(),
        }
    }

    fn ports(&self, target: &str, _namespace: Option<&str>) -> Vec<LivePort> {
        match self.inside(target) {
            Some(Inside::Here(container)) => {
                let ports = container.ports.into_iter();
                ports.map(|port| LivePort { port, detail: None }).collect()
            }
            Some(inside) => {
                let containers = inside.meant().into_iter();
                let ports = containers.flat_map(|container| &container.ports);
                ports
                    .map(|port| LivePort {
                        port: port.port,
                        detail: port.name.clone(),
                    })
                    .collect()
            }
            None => Vec::new(),
        }
    }

    fn env_names(&self, target: &str, _namespace: Option<&str>) -> Vec<String> {
        match self.inside(target) {
            Some(Inside::Here(container)) => container.env_names,
            Some(inside) => {
                let containers = inside.meant().into_iter();
                containers
                    .flat_map(|container| container.env_names.clone())
                    .collect()
            }
            None => Vec::new(),
        }
    }

    fn target_state(&self, target: &str, _namespace: Option<&str>) -> Option<TargetState> {
        let Ok(Target::Kubernetes(target)) = target.parse() else {
            return None;
        };
        match self.ask(About::Target(target))? {
            Answer::Target(described) => Some(TargetState::There {
                reason: described.reason.clone(),
            }),
            Answer::Missing(message) => Some(TargetState::Missing(message)),
            _ => None,
        }
    }

    fn is_complete(&self) -> bool {
        self.complete.get()
    }
}

/// A row in a few words: `2 of 3 pods`.
fn detail(row: &Row) -> String {
    match (&row.reason, row.pods) {
        (Some(reason), _) => reason.clone(),
        (None, Some(pods)) => format!("{} of {} pods", pods.ready, pods.wanted),
        (None, None) => "ready".to_owned(),
    }
}
