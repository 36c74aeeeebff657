//! What agents in other pods of the workload shall take: the ports that the primary agent has, or
//! will have again. So a port that cannot be had there is taken nowhere, and while the primary's
//! link is lost the others go on.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use mirrord_protocol::session_control::PortMode;
use tokio::sync::watch;

use super::{Listeners, Port, Taking};

/// By the number in the pod.
pub type WantedPorts = BTreeMap<u16, WantedPort>;

/// A port that shall be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedPort {
    /// How; never [`PortMode::Off`].
    pub mode: PortMode,
    /// Where the program listens.
    pub listener: SocketAddr,
}

impl Listeners {
    /// What they shall take from now on.
    pub fn wanted(&self) -> watch::Receiver<WantedPorts> {
        self.shared.wanted_tx.subscribe()
    }

    /// Whether a port's clients are copied.
    pub fn mirrors(&self) -> bool {
        let wanted = self.shared.wanted_tx.borrow();
        wanted.values().any(|port| port.mode == PortMode::Mirror)
    }

    pub(super) fn publish(&self) {
        let ports = self.ports();
        self.shared.wanted_tx.send_if_modified(|before| {
            let now = wanted(&ports, before);
            let is_other = now != *before;
            *before = now;
            is_other
        });
    }
}

fn wanted(ports: &HashMap<u16, Port>, before: &WantedPorts) -> WantedPorts {
    let each = ports.iter().filter_map(|(&number, port)| {
        let now = WantedPort {
            mode: port.mode,
            listener: *port.listeners.first()?,
        };
        match port.taking {
            _ if port.mode == PortMode::Off => None,
            Taking::Not => None,
            Taking::Taken(_) | Taking::Lost => Some((number, now)),
            // As it was, until the primary has it so.
            Taking::Asking => before.get(&number).map(|before| (number, *before)),
        }
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(mode: PortMode, taking: Taking) -> Port {
        Port {
            asked: 80,
            mode,
            taking,
            listeners: vec!["127.0.0.1:8000".parse().unwrap()],
        }
    }

    /// The mode in which a port is wanted that is as given, and was wanted as given.
    fn mode(now: Port, before: Option<PortMode>) -> Option<PortMode> {
        let before = before.map(|mode| {
            let listener = "127.0.0.1:1".parse().unwrap();
            (80, WantedPort { mode, listener })
        });
        let ports = HashMap::from([(80, now)]);
        let wanted = wanted(&ports, &before.into_iter().collect());
        wanted.get(&80).map(|port| port.mode)
    }

    #[test]
    fn other_pods_take_what_the_primary_has_or_will_have_again() {
        use PortMode::{Mirror, Off, Steal};
        assert_eq!(mode(port(Steal, Taking::Taken(1)), None), Some(Steal));
        assert_eq!(mode(port(Steal, Taking::Lost), None), Some(Steal));
        assert_eq!(mode(port(Steal, Taking::Asking), None), None);
        // Taken again, and changed from one mode into the other.
        assert_eq!(mode(port(Steal, Taking::Asking), Some(Steal)), Some(Steal));
        assert_eq!(
            mode(port(Steal, Taking::Asking), Some(Mirror)),
            Some(Mirror)
        );
        assert_eq!(mode(port(Off, Taking::Not), Some(Steal)), None);
        assert_eq!(mode(port(Off, Taking::Taken(1)), Some(Steal)), None);
        let mut closed = port(Steal, Taking::Taken(1));
        closed.listeners.clear();
        assert_eq!(mode(closed, Some(Steal)), None);
    }
}
