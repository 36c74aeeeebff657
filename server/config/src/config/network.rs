//! `feature.network`, and `dns` in it.

use serde_json::{Value as Json, json};

use super::incoming::IncomingConfig;
use super::outgoing::{AddressFilters, OutgoingConfig};
use super::toggle;
use crate::group::{Shorthand, group};
use crate::reader::Reader;
use crate::setting::{Origin, Setting};
use crate::tree::Node;

group! {
    /// The target's network. `false`: this machine's network only.
    pub struct NetworkConfig {
        settings {
            /// Let the program use IPv6.
            "ipv6" ipv6: bool = true, env &["MIRRORD_ENABLE_IPV6"];
        }
        groups {
            /// What clients send to the target: `mirror` (the default), `steal` or `off`.
            "incoming" incoming: IncomingConfig;
            /// What the program connects to goes out from the target.
            "outgoing" outgoing: OutgoingConfig;
            /// Names are resolved as in the target.
            "dns" dns: DnsConfig;
        }
    }
}

group! {
    /// Names are resolved as in the target. `false`: as on this machine.
    pub struct DnsConfig {
        settings {
            /// Names are resolved as in the target.
            "enabled" enabled: bool = true, env &["MIRRORD_REMOTE_DNS"];
            /// Which names: `{"remote": […]}` only these in the target, `{"local": […]}` all but
            /// these. `name[:port]`; which port a name is looked up for is not known, so all
            /// are meant. Addresses and subnets speak of looking up the names that they have.
            "filter" filter: Option<AddressFilters> = None;
        }
    }
}

impl NetworkConfig {
    fn turn_off(&mut self, origin: &Origin) {
        self.incoming.turn_off(origin);
        self.outgoing.turn_off(origin);
        self.dns.turn_off(origin);
    }
}

impl DnsConfig {
    fn turn_off(&mut self, origin: &Origin) {
        self.enabled = Setting {
            value: false,
            origin: origin.clone(),
        };
    }
}

impl Shorthand for NetworkConfig {
    fn read_shorthand(&mut self, node: &Node, reader: &mut Reader) -> bool {
        toggle!(NetworkConfig, node, reader, |origin| self.turn_off(&origin))
    }

    fn expanded(shorthand: &Json) -> Option<Json> {
        match shorthand {
            Json::Bool(true) => Some(json!({})),
            Json::Bool(false) => {
                Some(json!({ "incoming": false, "outgoing": false, "dns": false }))
            }
            _ => None,
        }
    }

    fn shorthands() -> Vec<&'static str> {
        vec!["`true` or `false`"]
    }

    fn shorthand_schemas() -> Vec<Json> {
        vec![json!({ "type": "boolean" })]
    }
}

impl Shorthand for DnsConfig {
    fn read_shorthand(&mut self, node: &Node, reader: &mut Reader) -> bool {
        toggle!(DnsConfig, node, reader, |origin| self.turn_off(&origin))
    }

    fn expanded(shorthand: &Json) -> Option<Json> {
        match shorthand {
            Json::Bool(true) => Some(json!({})),
            Json::Bool(false) => Some(json!({ "enabled": false })),
            _ => None,
        }
    }

    fn shorthands() -> Vec<&'static str> {
        vec!["`true` or `false`"]
    }

    fn shorthand_schemas() -> Vec<Json> {
        vec![json!({ "type": "boolean" })]
    }
}
