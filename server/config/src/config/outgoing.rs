//! `feature.network.outgoing`: what the program connects to.

use mirrord_rules::Side;
use serde_json::{Value as Json, json};

use super::toggle;
use crate::group::{Shorthand, group, unknown_name};
use crate::kinds::Many;
use crate::problem::Code;
use crate::reader::{Kind, Part, Reader};
use crate::setting::{Origin, Setting};
use crate::tree::{Node, Value};

/// `{"local": […]}` or `{"remote": […]}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressFilters {
    /// Where a match goes; everything else goes to the other side.
    pub side: Side,
    /// The filters.
    pub filters: Many<String>,
}

impl Kind for AddressFilters {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            reader.wrong_kind(node, "`{\"local\": […]}` or `{\"remote\": […]}`");
            return None;
        };
        let known: Vec<_> = entries
            .iter()
            .filter(|entry| match entry.key.as_str() {
                "local" | "remote" => true,
                _ => {
                    unknown_name(&["local", "remote"], &entry.key, &entry.key_span, reader);
                    false
                }
            })
            .collect();
        let [entry] = known.as_slice() else {
            let message = format!("{} needs either `local` or `remote`", reader.name(""));
            let help = "what does not match goes to the other side".to_owned();
            reader.error(Code::BadFilter, &node.span, message).help = Some(help);
            return None;
        };
        let side = if entry.key == "local" {
            Side::Local
        } else {
            Side::Remote
        };
        reader.path.push(entry.key.clone());
        let filters = Many::read(&entry.value, reader);
        reader.path.pop();
        Some(AddressFilters {
            side,
            filters: filters?,
        })
    }

    fn from_env(_: &str, _: &str) -> Result<Self, String> {
        Err("written in a configuration file".to_owned())
    }

    fn schema() -> Json {
        let one = |side: &str| {
            json!({
                "type": "object",
                "additionalProperties": false,
                "required": [side],
                "properties": { side: Many::<String>::schema() },
            })
        };
        json!({ "anyOf": [one("local"), one("remote")] })
    }

    fn to_json(&self) -> Json {
        let side = if self.side == Side::Local {
            "local"
        } else {
            "remote"
        };
        json!({ side: self.filters.to_json() })
    }

    fn parts(&self) -> Vec<Part> {
        let side = match self.side {
            Side::Local => "local",
            Side::Remote => "remote",
        };
        let parts = self.filters.parts().into_iter().map(|part| Part {
            name: format!("{side}.{}", part.name),
            ..part
        });
        parts.collect()
    }
}

group! {
    /// What the program connects to goes out from the target. `false`: from this machine.
    pub struct OutgoingConfig {
        settings {
            /// TCP goes out from the target.
            "tcp" tcp: bool = true, env &["MIRRORD_TCP_OUTGOING"];
            /// UDP goes out from the target.
            "udp" udp: bool = true, env &["MIRRORD_UDP_OUTGOING"];
            /// Destinations on `localhost` are this machine's.
            "ignore_localhost" ignore_localhost: bool = false;
            /// Which destinations: `{"remote": […]}` only these from the target, `{"local": […]}`
            /// all but these. `[protocol://][name|address|subnet/bits][:port]`.
            "filter" filter: Option<AddressFilters> = None;
            /// Regular expressions of Unix sockets (paths, abstract names) that are the target's.
            "unix_streams" unix_streams: Many<String> = Many::default(),
                env &["MIRRORD_OUTGOING_REMOTE_UNIX_STREAMS"];
        }
    }
}

impl OutgoingConfig {
    pub(super) fn turn_off(&mut self, origin: &Origin) {
        self.tcp = Setting {
            value: false,
            origin: origin.clone(),
        };
        self.udp = Setting {
            value: false,
            origin: origin.clone(),
        };
    }
}

impl Shorthand for OutgoingConfig {
    fn read_shorthand(&mut self, node: &Node, reader: &mut Reader) -> bool {
        toggle!(OutgoingConfig, node, reader, |origin| self
            .turn_off(&origin))
    }

    fn expanded(shorthand: &Json) -> Option<Json> {
        match shorthand {
            Json::Bool(true) => Some(json!({})),
            Json::Bool(false) => Some(json!({ "tcp": false, "udp": false })),
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
