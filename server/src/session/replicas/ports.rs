//! The ports that one agent has, and what it is to be asked so that they become those that are
//! wanted. Data and its transitions; the pod's task asks and tells the answers.

use std::collections::BTreeMap;

use mirrord_protocol::session_control::PortMode;

use super::super::listeners::{WantedPort, WantedPorts};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask the agent for a port.
    Take(u16, PortMode),
    /// Lead a subscription's connections to the program's socket.
    Lead(u64, u16, WantedPort),
    /// Ask the agent to give the port back, and lead its connections nowhere then: one that comes
    /// meanwhile is still answered.
    GiveBack(u16, u64),
}

/// The ports of one agent, by their numbers in the pod.
#[derive(Debug, Default)]
pub struct Ports(BTreeMap<u16, Port>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Port {
    /// The agent is asked for it.
    Asking(PortMode),
    /// It is the agent's, by its number for it; where its connections are led to.
    Taken(u64, WantedPort),
    /// The agent cannot have it; it is not asked again for the same.
    Refused(PortMode),
    /// The agent is asked to give this subscription back.
    GivingBack(u64),
}

impl Ports {
    /// What is to be done so that the ports become those that are wanted.
    pub fn steps(&mut self, wanted: &WantedPorts) -> Vec<Step> {
        let mut steps = Vec::new();
        self.0.retain(|number, port| match *port {
            Port::Refused(mode) => wanted.get(number).is_some_and(|port| port.mode == mode),
            _ => true,
        });
        for (&number, port) in &mut self.0 {
            let Port::Taken(subscription, led) = *port else {
                continue;
            };
            match wanted.get(&number) {
                Some(now) if now.mode == led.mode => {
                    if *now != led {
                        *port = Port::Taken(subscription, *now);
                        steps.push(Step::Lead(subscription, number, *now));
                    }
                }
                _ => {
                    *port = Port::GivingBack(subscription);
                    steps.push(Step::GiveBack(number, subscription));
                }
            }
        }
        for (&number, port) in wanted {
            self.0.entry(number).or_insert_with(|| {
                steps.push(Step::Take(number, port.mode));
                Port::Asking(port.mode)
            });
        }
        steps
    }

    /// The agent has a port, by this number; what is to be done then.
    pub fn taken(&mut self, number: u16, subscription: u64, wanted: &WantedPorts) -> Vec<Step> {
        let Some(Port::Asking(mode)) = self.0.get(&number).copied() else {
            return Vec::new();
        };
        let mut steps = Vec::new();
        match wanted.get(&number).filter(|port| port.mode == mode) {
            Some(port) => {
                self.0.insert(number, Port::Taken(subscription, *port));
                steps.push(Step::Lead(subscription, number, *port));
            }
            None => {
                self.0.insert(number, Port::GivingBack(subscription));
                steps.push(Step::GiveBack(number, subscription));
            }
        }
        steps
    }

    /// The agent cannot have a port.
    pub fn refused(&mut self, number: u16) {
        if let Some(port @ Port::Asking(_)) = self.0.get_mut(&number)
            && let Port::Asking(mode) = *port
        {
            *port = Port::Refused(mode);
        }
    }

    /// The agent has given a port back, or cannot: it may be asked for it anew.
    pub fn given_back(&mut self, number: u16) {
        if matches!(self.0.get(&number), Some(Port::GivingBack(_))) {
            self.0.remove(&number);
        }
    }

    /// The agent says that a subscription ended by itself: the port, if there is one.
    pub fn ended(&mut self, subscription: u64) -> Option<u16> {
        let found = self.0.iter().find_map(|(&number, port)| match *port {
            Port::Taken(of, led) if of == subscription => Some((number, led.mode)),
            _ => None,
        });
        let (number, mode) = found?;
        self.0.insert(number, Port::Refused(mode));
        Some(number)
    }

    /// The link is lost, and with it all that the agent had; the numbers of its subscriptions.
    pub fn lost(&mut self) -> Vec<u64> {
        let ports = std::mem::take(&mut self.0).into_values();
        ports
            .filter_map(|port| match port {
                Port::Taken(subscription, _) | Port::GivingBack(subscription) => Some(subscription),
                Port::Asking(_) | Port::Refused(_) => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(ports: &[(u16, PortMode, u16)]) -> WantedPorts {
        let port = |&(number, mode, local): &(u16, PortMode, u16)| {
            let listener = format!("127.0.0.1:{local}").parse().unwrap();
            (number, WantedPort { mode, listener })
        };
        ports.iter().map(port).collect()
    }

    /// Whether there is nothing that the agent has or is asked for.
    fn is_at_rest(ports: &Ports) -> bool {
        let mut ports = ports.0.values();
        ports.all(|port| matches!(port, Port::Refused(_)))
    }

    const STEAL: PortMode = PortMode::Steal;
    const MIRROR: PortMode = PortMode::Mirror;

    #[test]
    fn a_port_is_taken_led_and_given_back() {
        let mut ports = Ports::default();
        let at_1 = wanted(&[(80, STEAL, 1)]);
        assert_eq!(ports.steps(&at_1), [Step::Take(80, STEAL)]);
        assert_eq!(ports.steps(&at_1), [], "it is asked for once");
        assert_eq!(ports.taken(80, 7, &at_1), [Step::Lead(7, 80, at_1[&80])]);
        assert_eq!(ports.steps(&at_1), []);
        // Another of the program's sockets stands for it.
        let at_2 = wanted(&[(80, STEAL, 2)]);
        assert_eq!(ports.steps(&at_2), [Step::Lead(7, 80, at_2[&80])]);
        assert_eq!(ports.steps(&wanted(&[])), [Step::GiveBack(80, 7)]);
        assert!(!is_at_rest(&ports));
        ports.given_back(80);
        assert!(is_at_rest(&ports));
    }

    #[test]
    fn another_mode_is_asked_for_when_the_first_is_given_back() {
        let mut ports = Ports::default();
        let steal = wanted(&[(80, STEAL, 1)]);
        let mirror = wanted(&[(80, MIRROR, 1)]);
        ports.steps(&steal);
        ports.taken(80, 7, &steal);
        assert_eq!(ports.steps(&mirror), [Step::GiveBack(80, 7)]);
        assert_eq!(ports.steps(&mirror), []);
        ports.given_back(80);
        assert_eq!(ports.steps(&mirror), [Step::Take(80, MIRROR)]);
        // Changed again while the agent was asked.
        assert_eq!(ports.taken(80, 8, &steal), [Step::GiveBack(80, 8)]);
    }

    #[test]
    fn what_an_agent_cannot_have_is_not_asked_for_again_and_again() {
        let mut ports = Ports::default();
        let steal = wanted(&[(80, STEAL, 1), (81, STEAL, 1)]);
        ports.steps(&steal);
        ports.refused(80);
        ports.taken(81, 3, &steal);
        assert_eq!(ports.ended(3), Some(81));
        assert_eq!(ports.ended(3), None);
        assert_eq!(ports.steps(&steal), []);
        assert!(is_at_rest(&ports));
        let mirror = wanted(&[(80, MIRROR, 1)]);
        assert_eq!(ports.steps(&mirror), [Step::Take(80, MIRROR)]);
    }

    #[test]
    fn all_is_asked_for_anew_on_the_next_link() {
        let mut ports = Ports::default();
        let both = wanted(&[(80, STEAL, 1), (81, MIRROR, 2)]);
        ports.steps(&both);
        ports.taken(80, 7, &both);
        // One that is being given back is led until the agent has done so, or is lost.
        ports.steps(&wanted(&[(81, MIRROR, 2)]));
        assert_eq!(ports.lost(), [7]);
        // An answer of the lost link.
        assert_eq!(ports.taken(81, 9, &both), []);
        assert_eq!(
            ports.steps(&both),
            [Step::Take(80, STEAL), Step::Take(81, MIRROR)]
        );
    }
}
