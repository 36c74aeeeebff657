//! Values that only the running daemon knows, for completion: the targets of this machine.

use mirrord_language::{Live, LivePort, LiveTarget};

use crate::daemon::methods::targets_describe;
use crate::provider::list::local_targets;
use crate::target::Target;

/// What is there at this moment.
pub struct Now;

impl Live for Now {
    fn targets(&self, _namespace: Option<&str>) -> Vec<LiveTarget> {
        let rows = local_targets().unwrap_or_else(|error| {
            tracing::warn!("could not list targets for completion: {error:#}");
            Vec::new()
        });
        rows.into_iter()
            .map(|row| LiveTarget {
                detail: Some(row.reason.unwrap_or(row.name)),
                path: row.path,
            })
            .collect()
    }

    fn ports(&self, target: &str, _namespace: Option<&str>) -> Vec<LivePort> {
        inside(target).map_or_else(Vec::new, |inside| {
            let ports = inside.ports.into_iter();
            ports.map(|port| LivePort { port, detail: None }).collect()
        })
    }

    fn env_names(&self, target: &str, _namespace: Option<&str>) -> Vec<String> {
        inside(target).map_or_else(Vec::new, |inside| inside.env_names)
    }
}

/// A target's inside; none while it cannot be looked into.
fn inside(target: &str) -> Option<mirrord_editor_protocol::targets::Container> {
    let target: Target = target.parse().ok()?;
    match targets_describe::look_into(&target) {
        Ok((_, container)) => Some(container),
        Err(error) => {
            tracing::debug!("could not look into {target} for completion: {error:#}");
            None
        }
    }
}
