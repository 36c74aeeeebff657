//! Changing what happens with a port while the session runs.

use mirrord_protocol::session_control::PortMode;

use super::{Listeners, Taking, lock};

/// What events name as the rule.
pub const RULE: &str = "network.incoming (changed while the session runs)";

/// A mode as events and configurations name it.
pub fn name(mode: PortMode) -> &'static str {
    match mode {
        PortMode::Steal => "steal",
        PortMode::Mirror => "mirror",
        PortMode::Off => "off",
    }
}

impl Listeners {
    /// From now on this happens with a port, as programs ask for it: with those that are listened
    /// on, and with those to come. Connections that stand stay where they are.
    pub async fn choose(&self, asked: u16, mode: PortMode) -> Result<(), String> {
        let numbers: Vec<u16> = {
            let ports = self.ports();
            let these = ports.iter().filter(|(_, port)| port.asked == asked);
            if these.clone().any(|(_, port)| port.taking == Taking::Asking) {
                return Err(format!(
                    "port {asked} is just being taken; ask again in a moment"
                ));
            }
            these.map(|(number, _)| *number).collect()
        };
        lock(&self.shared.chosen).insert(asked, mode);
        for number in numbers {
            self.change(number, mode).await?;
        }
        Ok(())
    }

    async fn change(&self, number: u16, mode: PortMode) -> Result<(), String> {
        let before = {
            let mut ports = self.ports();
            let Some(port) = ports.get_mut(&number) else {
                return Ok(());
            };
            if port.mode == mode {
                return Ok(());
            }
            port.mode = mode;
            // Whoever finds it gone meanwhile waits until this is decided.
            std::mem::replace(&mut port.taking, Taking::Asking)
        };
        let changed = self.exchange(number, before, mode).await;
        let (now, detail) = match &changed {
            Ok(by) => (mode, by.as_str()),
            Err(error) => (PortMode::Off, error.as_str()),
        };
        self.event(0, number, now, RULE, detail);
        changed.map(drop)
    }

    /// Lets go of the port and takes it in the other way: two of one session are refused.
    async fn exchange(
        &self,
        number: u16,
        before: Taking,
        mode: PortMode,
    ) -> Result<String, String> {
        if let Taking::Taken(subscription) = before
            && let Err(error) = self.unsubscribe(subscription).await
        {
            self.rest(number);
            return Err(error.to_string());
        }
        if mode != PortMode::Off {
            return self.subscribe(number, mode).await;
        }
        self.rest(number);
        Ok("given back".to_owned())
    }

    /// The port is the pod's.
    fn rest(&self, number: u16) {
        if let Some(port) = self.ports().get_mut(&number) {
            (port.mode, port.taking) = (PortMode::Off, Taking::Not);
        }
        self.show();
    }
}
