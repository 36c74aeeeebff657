//! Names that a filter speaks of, resolved for the supervisor.

use std::net::IpAddr;

use mirrord_protocol::control::{Answer, Request};
use mirrord_protocol::local::{Ticket, ToSupervisor};
use tokio::sync::mpsc;

use super::agent_link::AgentLink;

/// Resolves a name in the pod, and by this machine's resolver too where that is asked for. One
/// answer is enough; with none the reason is the pod's.
pub async fn resolve(
    agent: AgentLink,
    answer_tx: mpsc::UnboundedSender<ToSupervisor>,
    ticket: Ticket,
    name: String,
    here_too: bool,
) {
    let here = async {
        if !here_too {
            return Vec::new();
        }
        match tokio::net::lookup_host((name.as_str(), 0)).await {
            Ok(found) => found.map(|address| address.ip()).collect::<Vec<IpAddr>>(),
            Err(error) => {
                tracing::debug!(%error, name, "not known on this machine");
                Vec::new()
            }
        }
    };
    let request = Request::Resolve { host: name.clone() };
    let (here, there) = tokio::join!(here, agent.ask(request));
    let result = match there {
        Ok(Answer::Resolved(there)) => Ok([here, there].concat()),
        Ok(other) => Err(format!("the agent answered {other:?}")),
        Err(_) if !here.is_empty() => Ok(here),
        Err(error) => Err(error.to_string()),
    };
    // Without a receiver the session is ending.
    let _ = answer_tx.send(ToSupervisor::Resolved { ticket, result });
}
