//! `mirrord/session/proveIncoming`: real requests through the target, after the user agreed.

use std::sync::Arc;

use mirrord_editor_protocol::ErrorKind;
use mirrord_editor_protocol::session::{
    Answerer, ProveIncomingParams, ProveIncomingResult, ProvenRequest,
};

use super::Outcome;
use crate::daemon::client::Client;
use crate::daemon::failure::Failure;
use crate::daemon::sessions;

/// Only filters could leave a request to the pod, and there are none yet (`unserved.rs` of the
/// configuration says so to whoever writes one).
const NO_UNMATCHED: &str = "no request was sent that the pod's own program should get: whole ports \
                            are taken, without a filter, so every request matches";

/// Sends them and says who answered.
pub async fn prove(_: &Arc<Client>, params: ProveIncomingParams) -> Outcome<ProveIncomingResult> {
    if !params.confirmed {
        let message = "requests are only sent into the target after the user agreed";
        return Err(Failure::new(ErrorKind::Forbidden, message)
            .help("ask the user, and send `confirmed: true`"));
    }
    let found = sessions::find(&params.session_id).await?;
    let ports: Vec<u16> = match params.port {
        Some(port) => vec![port],
        None => found.status.ports.iter().map(|port| port.port).collect(),
    };
    if ports.is_empty() {
        let message = "no program of the session listens on a port yet";
        return Err(Failure::new(ErrorKind::WrongState, message).retryable());
    }
    let mut requests = Vec::new();
    for port in ports {
        let proofs = found.client.prove_incoming(port).await?;
        requests.extend(proofs.into_iter().map(|proof| ProvenRequest {
            port,
            matching: proof.matches,
            answered_by: Answerer::from(proof.answered_by.as_str()),
            detail: format!("{}: {}", proof.request, proof.detail),
        }));
    }
    Ok(ProveIncomingResult {
        requests,
        note: Some(NO_UNMATCHED.to_owned()),
    })
}
