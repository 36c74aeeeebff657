//! Keys of mirrord's configuration that we recognise and do not serve: their shapes, so that a
//! mistyped key is told there too.

use serde_json::{Value as Json, json};

use crate::group::unknown_name;
use crate::reader::Reader;
use crate::tree::{Node, Value};

/// What may be written.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// `true` or `false`.
    Bool,
    /// Text.
    Text,
    /// A number.
    Number,
    /// Text or a list of texts.
    Texts,
    /// Anything; mirrord itself checks it.
    Any,
    /// Only these keys.
    Keys(&'static [(&'static str, Shape)]),
    /// `true`, `false` or only these keys.
    Toggle(&'static [(&'static str, Shape)]),
}

impl Shape {
    /// Whether a value is of this shape; the reader gets a problem when not.
    pub(crate) fn check(&self, node: &Node, reader: &mut Reader) -> bool {
        let (fits, expected) = match (self, &node.value) {
            (_, Value::Null) | (Shape::Any, _) => (true, ""),
            (Shape::Bool, value) => (matches!(value, Value::Bool(_)), "`true` or `false`"),
            (Shape::Text, value) => (matches!(value, Value::Text(_)), "text"),
            (Shape::Number, value) => (matches!(value, Value::Integer(_)), "a whole number"),
            (Shape::Texts, Value::List(list)) => (
                list.iter().all(|node| matches!(node.value, Value::Text(_))),
                "a list of texts",
            ),
            (Shape::Texts, value) => (matches!(value, Value::Text(_)), "text, or a list of texts"),
            (Shape::Toggle(_), Value::Bool(_)) => (true, ""),
            (Shape::Keys(keys) | Shape::Toggle(keys), Value::Map(entries)) => {
                let before = reader.problems.len();
                for entry in entries {
                    match keys.iter().find(|(name, _)| *name == entry.key) {
                        Some((name, shape)) => {
                            reader.path.push((*name).to_owned());
                            shape.check(&entry.value, reader);
                            reader.path.pop();
                        }
                        None => {
                            let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
                            unknown_name(&names, &entry.key, &entry.key_span, reader);
                        }
                    }
                }
                return reader.problems.len() == before;
            }
            (Shape::Keys(_), _) => (false, "an object"),
            (Shape::Toggle(_), _) => (false, "`true`, `false` or an object"),
        };
        if !fits {
            reader.wrong_kind(node, expected);
        }
        fits
    }

    /// As JSON Schema.
    pub(crate) fn schema(&self) -> Json {
        let object = |keys: &[(&str, Shape)]| {
            let properties: serde_json::Map<String, Json> = keys
                .iter()
                .map(|(name, shape)| ((*name).to_owned(), shape.schema()))
                .collect();
            json!({ "type": "object", "additionalProperties": false, "properties": properties })
        };
        match self {
            Shape::Bool => json!({ "type": "boolean" }),
            Shape::Text => json!({ "type": "string" }),
            Shape::Number => json!({ "type": "integer" }),
            Shape::Texts => json!({ "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" } },
            ] }),
            Shape::Any => json!({}),
            Shape::Keys(keys) => object(keys),
            Shape::Toggle(keys) => json!({ "anyOf": [{ "type": "boolean" }, object(keys)] }),
        }
    }
}

use Shape::{Any, Bool, Keys, Number, Text, Texts};

pub(crate) const AGENT: Shape = Keys(&[
    ("annotations", Any),
    ("check_out_of_pods", Bool),
    ("clean_iptables_on_start", Bool),
    ("communication_timeout", Number),
    ("disable_mesh_sidecar_injection", Bool),
    ("disabled_capabilities", Texts),
    ("dns", Any),
    ("ephemeral", Bool),
    ("exclude_from_mesh", Bool),
    ("external_ip_fix", Bool),
    ("flush_connections", Bool),
    ("http_detection_timeout", Number),
    ("image", Any),
    ("image_pull_policy", Text),
    ("image_pull_secrets", Any),
    ("inject_headers", Bool),
    ("jaq_time_limit", Number),
    ("json_log", Bool),
    ("labels", Any),
    ("log_level", Text),
    ("max_body_buffer_size", Number),
    ("max_body_buffer_timeout", Number),
    ("metrics", Text),
    ("namespace", Text),
    ("nftables", Bool),
    ("node_selector", Any),
    ("override_cache_control", Bool),
    ("priority_class", Text),
    ("privileged", Bool),
    ("resources", Any),
    ("security_context", Any),
    ("service_account", Text),
    ("startup_timeout", Number),
    ("tolerations", Any),
    ("ttl", Number),
]);

pub(crate) const EXPERIMENTAL: Shape = Keys(&[
    ("applev", Any),
    ("browser_extension_config", Bool),
    ("disable_reuseaddr", Bool),
    ("dlopen_cgo", Bool),
    ("enable_exec_hooks_linux", Bool),
    ("go_asmcgocall", Bool),
    ("guard_std_fds", Bool),
    ("hide_ipv6_interfaces", Bool),
    ("idle_local_http_connection_timeout", Number),
    ("ignore_system_proxy_config", Bool),
    ("latency", Any),
    ("non_blocking_tcp_connect", Bool),
    ("sip_log_destination", Text),
    ("sip_utils", Bool),
    ("tcp_ping4_mock", Bool),
    ("trust_any_certificate", Bool),
    ("use_dev_null", Bool),
]);

pub(crate) const INTERNAL_PROXY: Shape = Keys(&[
    ("idle_timeout", Number),
    ("json_log", Bool),
    ("log_destination", Text),
    ("log_level", Text),
    ("ping_interval", Number),
    ("process_logging_interval", Number),
    ("socket_timeout", Number),
    ("start_idle_timeout", Number),
]);

pub(crate) const EXTERNAL_PROXY: Shape = Keys(&[
    ("host_ip", Text),
    ("idle_timeout", Number),
    ("json_log", Bool),
    ("log_destination", Text),
    ("log_level", Text),
    ("start_idle_timeout", Number),
    ("tls_enable", Bool),
]);

pub(crate) const CONTAINER: Shape = Keys(&[
    ("cli_extra_args", Texts),
    ("cli_image", Text),
    ("cli_image_lib_path", Text),
    ("cli_prevent_cleanup", Bool),
    ("cli_tls_path", Text),
    ("host_gateway_detection", Bool),
    ("override_host_ip", Text),
    ("platform", Text),
]);

pub(crate) const STARTUP_RETRY: Shape = Keys(&[
    ("max_ms", Number),
    ("max_retries", Number),
    ("min_ms", Number),
]);

pub(crate) const COPY_TARGET: Shape = Shape::Toggle(&[
    ("enabled", Bool),
    ("scale_down", Bool),
    ("exclude_containers", Texts),
    ("exclude_init_containers", Texts),
]);

pub(crate) const PREVIEW: Shape = Keys(&[
    ("config_mounts", Any),
    ("creation_timeout_secs", Number),
    ("idle", Any),
    ("image", Text),
    ("labels", Any),
    ("replicas", Number),
    ("secret_mounts", Any),
    ("ttl_mins", Any),
    ("ttl_secs", Any),
]);
