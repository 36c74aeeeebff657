//! `feature.network.incoming`: what clients send to the target.

use serde_json::{Value as Json, json};

use super::http_filter::HttpFilterConfig;
use super::toggle;
use crate::group::{Shorthand, Status, Word, group, words};
use crate::kinds::{Many, PortPairs};
use crate::reader::{Kind, Reader};
use crate::setting::{Origin, Setting};
use crate::tree::{Node, Value};
use crate::unserved::{Shape, TLS_DELIVERY};

const CONCURRENT: &[Word] = &[
    Word {
        word: "abort",
        doc: "Do not start.",
    },
    Word {
        word: "continue",
        doc: "Go on without the port.",
    },
    Word {
        word: "override",
        doc: "Take the port from the other session.",
    },
];

words! {
    /// What happens with a port that the program listens on.
    pub enum IncomingMode {
        /// The target's program answers; the local one gets a copy of what clients send.
        Mirror = "mirror",
        /// The local program answers.
        Steal = "steal",
        /// Nothing.
        Off = "off",
    }
}

/// [`IncomingMode`], but in the environment `true` means `steal` and `false` means `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub IncomingMode);

impl Kind for Mode {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        IncomingMode::read(node, reader).map(Mode)
    }

    fn from_env(text: &str, name: &str) -> Result<Self, String> {
        match text {
            "true" => Ok(Mode(IncomingMode::Steal)),
            "false" => Ok(Mode(IncomingMode::Off)),
            _ => IncomingMode::from_env(text, name)
                .map(Mode)
                .map_err(|expected| format!("`true`, `false` or {expected}")),
        }
    }

    fn schema() -> Json {
        IncomingMode::schema()
    }

    fn to_json(&self) -> Json {
        self.0.to_json()
    }
}

group! {
    /// What clients send to the target. `true`: as by default; `false` or `"off"`: nothing is
    /// taken; `"mirror"` (the default) or `"steal"`.
    pub struct IncomingConfig {
        settings {
            /// `mirror` (the default): the target's program answers and the local one gets a copy;
            /// `steal`: the local program answers; `off`: nothing is taken.
            "mode" mode: Mode = Mode(IncomingMode::Mirror),
                env &["MIRRORD_AGENT_TCP_STEAL_TRAFFIC"];
            /// Only these ports of the target.
            "ports" ports: Option<Many<u16>> = None;
            /// Ports of the program that stay local.
            "ignore_ports" ignore_ports: Many<u16> = Many::default();
            /// Ports that the program listens on at `localhost` stay local.
            "ignore_localhost" ignore_localhost: bool = false;
            /// Ports of the program and the target's ports they stand for: `[[9333, 80]]`.
            "port_mapping" port_mapping: PortPairs = PortPairs::default();
            /// Ports of the program and those really used on this machine: `[[80, 4480]]`.
            "listen_ports" listen_ports: PortPairs = PortPairs::default();
        }
        groups {
            /// Take only some HTTP requests.
            "http_filter" http_filter: HttpFilterConfig;
        }
        unserved {
            /// What to do when somebody else steals the port.
            "on_concurrent_steal": Shape::Words(CONCURRENT),
                Status::Operator("it knows of other users' sessions"), env &["MIRRORD_OPERATOR_ON_CONCURRENT_STEAL"];
            /// How stolen TLS is handed to the program.
            "tls_delivery": TLS_DELIVERY, Status::NotYet("TLS comes later");
            /// The old name of `tls_delivery`.
            "https_delivery": TLS_DELIVERY, Status::Deprecated {
                why: "it was renamed",
                replacement: Some("tls_delivery"),
            };
        }
    }
}

impl IncomingConfig {
    pub(super) fn turn_off(&mut self, origin: &Origin) {
        self.mode = Setting {
            value: Mode(IncomingMode::Off),
            origin: origin.clone(),
        };
    }
}

impl Shorthand for IncomingConfig {
    fn read_shorthand(&mut self, node: &Node, reader: &mut Reader) -> bool {
        if matches!(node.value, Value::Text(_)) {
            if let Some(value) = Mode::read(node, reader) {
                self.mode = Setting {
                    value,
                    origin: reader.origin(&node.span),
                };
            }
            return true;
        }
        toggle!(IncomingConfig, node, reader, |origin| self
            .turn_off(&origin))
    }

    fn shorthands() -> Vec<&'static str> {
        vec!["`true` or `false`", "a mode (`mirror`, `steal`, `off`)"]
    }

    fn shorthand_schemas() -> Vec<Json> {
        vec![json!({ "type": "boolean" }), IncomingMode::schema()]
    }

    fn shorthand_words() -> Vec<Word> {
        IncomingMode::words()
    }

    fn expanded(shorthand: &Json) -> Option<Json> {
        match shorthand {
            Json::Bool(true) => Some(json!({})),
            Json::Bool(false) => Some(json!({ "mode": "off" })),
            Json::String(mode) => Some(json!({ "mode": mode })),
            _ => None,
        }
    }
}
