//! `mirrord/doctor`: a stream of checks.

use mirrord_editor_protocol::doctor::{CheckStatus, DoctorParams, DoctorResult};

use super::{Outcome, apart};
use crate::daemon::client::Client;
use crate::doctor::{CHECKS, cluster};

/// Runs all checks, and tells each when it is done if the client wants them so.
pub async fn doctor(client: &Client, params: DoctorParams) -> Outcome<DoctorResult> {
    let peer = client.peer();
    let mut checks = Vec::new();
    for check in CHECKS {
        let done = apart(move || Ok((check.look)())).await?;
        match &params.partial_result_token {
            Some(token) => peer.progress(token, &DoctorResult { checks: vec![done] }),
            None => checks.push(done),
        }
    }
    let environment = super::kube::environment(client);
    let access = mirrord_kubernetes::Access::default();
    // A helper that logs in must not hold up the event loop.
    let clusters = &client.daemon.clusters;
    for done in clusters.run(cluster::look(access, environment)).await? {
        match &params.partial_result_token {
            Some(token) => peer.progress(token, &DoctorResult { checks: vec![done] }),
            None => checks.push(done),
        }
    }
    Ok(DoctorResult { checks })
}

/// The first thing that does not work, for the status item; only what is looked at quickly.
pub fn what_is_missing() -> Option<String> {
    CHECKS
        .iter()
        .filter(|check| check.quick)
        .map(|check| (check.look)())
        .find(|check| check.status == CheckStatus::Fail)
        .map(|check| format!("{}: {}", check.title, check.detail))
}
