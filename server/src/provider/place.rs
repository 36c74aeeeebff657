//! Where an agent in a cluster is: a file in its holder's folder, written before the agent can be
//! called. A session reads it when it has linked, to know its pod, and starts the agents of the
//! workload's other pods in the form that was found for this one.

use std::path::Path;

use anyhow::{Context, Result};
use mirrord_kubernetes::{Form, Plan};
use mirrord_link::Endpoint;
use serde::{Deserialize, Serialize};

/// The file in the holder's folder.
const FILE: &str = "place";

/// An agent's pod, and its form there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The target's pod.
    pub pod: String,
    /// That pod's UID.
    pub uid: String,
    /// That pod's node.
    pub node: String,
    /// How the agent was started.
    pub form: Form,
}

impl Place {
    /// Of an agent that is planned; an agent without a target is in no pod of a target's.
    pub fn of(plan: &Plan) -> Option<Place> {
        let container = &plan.found.as_ref()?.container;
        Some(Place {
            pod: container.pod.clone(),
            uid: container.pod_uid.clone(),
            node: container.node.clone(),
            form: plan.form,
        })
    }

    /// Writes it in a holder's folder, at once and as a whole.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let new = folder.join("place.new");
        std::fs::write(&new, serde_json::to_vec(self)?)
            .and_then(|()| std::fs::rename(&new, folder.join(FILE)))
            .with_context(|| format!("could not write in {}", folder.display()))
    }

    /// Of the agent behind an endpoint; `None` where that is in no pod of a cluster.
    pub fn behind(endpoint: &Endpoint) -> Option<Place> {
        let Endpoint::Held(folder) = endpoint else {
            return None;
        };
        let text = std::fs::read(folder.join(FILE)).ok()?;
        match serde_json::from_slice(&text) {
            Ok(place) => Some(place),
            Err(error) => {
                tracing::warn!("{} is none of ours: {error}", folder.join(FILE).display());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::Held(folder.path().to_owned());
        assert_eq!(Place::behind(&endpoint), None);
        let place = Place {
            pod: "web-1".into(),
            uid: "u".into(),
            node: "node2".into(),
            form: Form::Ephemeral,
        };
        place.write(folder.path()).unwrap();
        assert_eq!(Place::behind(&endpoint), Some(place));
        let local = Endpoint::Unix(folder.path().join("agent"));
        assert_eq!(Place::behind(&local), None);
    }
}
