//! Ports while the link to the agent is lost: the agent has given them back to the pod, and they
//! are taken again, as they were, on the next link.

use mirrord_protocol::session_control::PortMode;

use tokio::task::JoinSet;

use super::{Listeners, Taking};

/// What events name as the reason.
const REASON: &str = "the link to the agent was made again";

impl Listeners {
    /// The link is lost: the agent's numbers mean nothing any more.
    pub fn lost(&self) {
        for port in self.ports().values_mut() {
            if let Taking::Taken(subscription) = port.taking {
                self.shared.relays.forget(subscription);
                port.taking = Taking::Lost;
            }
        }
    }

    /// There is another link; completes when all ports are taken there, or are known not to be.
    pub fn found(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut lost = Vec::new();
        for (&number, port) in self.ports().iter_mut() {
            if port.taking == Taking::Lost {
                port.taking = Taking::Asking;
                lost.push((number, port.mode));
            }
        }
        let mut taking = JoinSet::new();
        for (number, mode) in lost {
            taking.spawn(self.clone().take_again(number, mode));
        }
        async move { drop(taking.join_all().await) }
    }

    async fn take_again(self, number: u16, mode: PortMode) {
        match self.subscribe(number, mode).await {
            Ok(by) => self.event(0, number, mode, REASON, &by),
            Err(error) => {
                self.event(0, number, PortMode::Off, REASON, &error);
                self.warn(format!(
                    "port {number} of the pod could not be taken again: {error}. The program \
                     listens on this machine only"
                ));
            }
        }
        // A listener that was closed meanwhile was not given back: it was being asked for.
        self.look_at(number).await;
    }
}
