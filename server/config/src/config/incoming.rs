//! `feature.network.incoming`: what clients send to the target.

use serde_json::{Value as Json, json};

use super::toggle;
use crate::group::{Shorthand, Status, group, words};
use crate::kinds::{Given, Many, PortPairs};
use crate::reader::{Kind, Reader};
use crate::setting::{Origin, Setting};
use crate::tree::{Node, Value};
use crate::unserved::Shape;

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
            "on_concurrent_steal": Shape::Text,
                Status::Operator("it knows of other users' sessions"), env &["MIRRORD_OPERATOR_ON_CONCURRENT_STEAL"];
            /// How stolen TLS is handed to the program.
            "tls_delivery": Shape::Any, Status::NotYet("TLS comes later");
            /// The old name of `tls_delivery`.
            "https_delivery": Shape::Any, Status::NotYet("TLS comes later");
        }
    }
}

group! {
    /// Take only some HTTP requests.
    pub struct HttpFilterConfig {
        settings {
            /// Ports that the filter covers; others are taken whole.
            "ports" ports: Option<Many<u16>> = None, env &["MIRRORD_HTTP_FILTER_PORTS"];
            /// A header, as `name: value`, that matches this regular expression.
            "header_filter" header_filter: Option<String> = None,
                env &["MIRRORD_HTTP_HEADER_FILTER"];
            /// A path that matches this regular expression.
            "path_filter" path_filter: Option<String> = None,
                env &["MIRRORD_HTTP_PATH_FILTER"];
            /// A method.
            "method_filter" method_filter: Option<String> = None,
                env &["MIRRORD_HTTP_METHOD_FILTER"];
            /// Headers that this `jq` program says yes to.
            "header_filter_jq" header_filter_jq: Option<String> = None,
                env &["MIRRORD_HTTP_HEADER_FILTER_JQ"];
            /// A body that matches.
            "body_filter" body_filter: Given = Given(false);
            /// All of these filters.
            "all_of" all_of: Given = Given(false);
            /// Any of these filters.
            "any_of" any_of: Given = Given(false);
        }
    }
}

impl HttpFilterConfig {
    /// The first filter that is set: its name and where it comes from.
    pub(crate) fn first(&self) -> Option<(&'static str, &Origin)> {
        [
            (
                "header_filter",
                self.header_filter.value.is_some(),
                &self.header_filter.origin,
            ),
            (
                "path_filter",
                self.path_filter.value.is_some(),
                &self.path_filter.origin,
            ),
            (
                "method_filter",
                self.method_filter.value.is_some(),
                &self.method_filter.origin,
            ),
            (
                "header_filter_jq",
                self.header_filter_jq.value.is_some(),
                &self.header_filter_jq.origin,
            ),
            (
                "body_filter",
                self.body_filter.value.0,
                &self.body_filter.origin,
            ),
            ("all_of", self.all_of.value.0, &self.all_of.origin),
            ("any_of", self.any_of.value.0, &self.any_of.origin),
        ]
        .into_iter()
        .find(|(_, set, _)| *set)
        .map(|(name, _, origin)| (name, origin))
    }

    /// What becomes of a filter that is set, in this mode.
    pub(crate) fn not_yet(mode: IncomingMode) -> Option<&'static str> {
        match mode {
            IncomingMode::Off => None,
            IncomingMode::Mirror => Some(
                "not yet: HTTP filters come later; until then every request is mirrored, also \
                 what the filter would leave out",
            ),
            IncomingMode::Steal => Some(
                "not yet: HTTP filters come later; ports that one covers are mirrored instead of \
                 stolen, so that no request is taken that should stay in the target",
            ),
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
}

impl Shorthand for HttpFilterConfig {
    fn read_shorthand(&mut self, node: &Node, reader: &mut Reader) -> bool {
        toggle!(HttpFilterConfig, node, reader, |_| ())
    }

    fn shorthands() -> Vec<&'static str> {
        vec!["`true` or `false`"]
    }

    fn shorthand_schemas() -> Vec<Json> {
        vec![json!({ "type": "boolean" })]
    }
}
