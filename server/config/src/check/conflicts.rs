//! Values that are right by themselves and contradict each other.

use serde_json::Value as Json;

use super::Checks;
use crate::config::Config;
use crate::config::fs::FsMode;
use crate::config::incoming::IncomingMode;
use crate::effective::Unserved;
use crate::problem::Code;
use crate::setting::Origin;

impl Checks {
    pub(super) fn fs(&mut self, config: &Config) {
        let fs = &config.feature.fs;
        // In the order in which they decide.
        let lists = [
            ("not_found", &fs.not_found),
            ("read_write", &fs.read_write),
            ("read_only", &fs.read_only),
            ("local", &fs.local),
        ];
        if fs.mode.value == FsMode::Local {
            for (name, list) in &lists[1..3] {
                if let Some(first) = list.value.0.first() {
                    let message =
                        format!("feature.fs.{name} has no effect, for feature.fs.mode is `local`");
                    self.warning(Code::NoEffect, &first.origin, &message);
                    self.last_help("the mode `localwithoverrides` follows the lists");
                }
            }
        }
        for (index, (name, list)) in lists.iter().enumerate() {
            for pattern in &list.value.0 {
                let stronger = lists[..index].iter().find(|(_, list)| {
                    let mut others = list.value.0.iter();
                    others.any(|other| other.value == pattern.value)
                });
                if let Some((stronger, _)) = stronger {
                    let message = format!(
                        "feature.fs.{name}: `{}` stands in feature.fs.{stronger} too, which decides",
                        pattern.value
                    );
                    self.warning(Code::Conflict, &pattern.origin, &message);
                }
            }
        }
    }

    pub(super) fn incoming_ports(&mut self, config: &Config) {
        let incoming = &config.feature.network.incoming;
        let ports = incoming.ports.value.iter().flat_map(|ports| &ports.0);
        for (name, port) in ports.map(|port| ("ports", port)).chain(
            incoming
                .ignore_ports
                .value
                .0
                .iter()
                .map(|port| ("ignore_ports", port)),
        ) {
            if port.value == 0 {
                let message = format!(
                    "feature.network.incoming.{name}: port 0 stands for any free port and is \
                     never taken"
                );
                self.warning(Code::NoEffect, &port.origin, &message);
            }
        }
        let ignored = incoming.ignore_ports.value.values();
        for (name, pairs) in [
            ("port_mapping", &incoming.port_mapping),
            ("listen_ports", &incoming.listen_ports),
        ] {
            let twice = pairs
                .value
                .0
                .iter()
                .find(|(local, _)| ignored.contains(local));
            if let (Some((port, _)), "port_mapping") = (twice, name) {
                let message = format!(
                    "feature.network.incoming.{name} has no effect on port {port}, for \
                     .ignore_ports keeps it local"
                );
                self.warning(Code::Conflict, &pairs.origin, &message);
            }
        }
        let off = incoming.mode.value.0 == IncomingMode::Off;
        if let (true, Some(ports)) = (off, &incoming.ports.value)
            && !ports.0.is_empty()
        {
            self.warning(
                Code::NoEffect,
                &incoming.ports.origin,
                "feature.network.incoming.ports has no effect, for feature.network.incoming is off",
            );
        }
        let outgoing = &config.feature.network.outgoing;
        if !outgoing.tcp.value && !outgoing.udp.value && outgoing.filter.value.is_some() {
            self.warning(
                Code::NoEffect,
                &outgoing.filter.origin,
                "feature.network.outgoing.filter has no effect, for TCP and UDP both go out from \
                 this machine",
            );
        }
    }

    /// Keys that are not served yet must still make sense.
    pub(super) fn unserved(&mut self, unserved: &[Unserved]) {
        let given = |path: &str| unserved.iter().find(|value| value.path == path);
        if let Some(retry) = given("startup_retry") {
            let number = |key: &str| retry.value.get(key).and_then(Json::as_u64);
            if let (Some(least), Some(most)) = (number("min_ms"), number("max_ms"))
                && least > most
            {
                self.error(
                    Code::Conflict,
                    &retry.origin,
                    &format!("startup_retry.min_ms ({least}) is more than .max_ms ({most})"),
                    "exchange the two",
                );
            }
            if number("max_ms") == Some(0) {
                let message = "startup_retry.max_ms must be more than 0";
                self.error(Code::OutOfRange, &retry.origin, message, "leave it out");
            }
        }
        if let Some(agent) = given("agent")
            && agent.value.get("ephemeral") == Some(&Json::Bool(true))
            && agent.value.get("namespace").is_some_and(Json::is_string)
        {
            self.warning(
                Code::NoEffect,
                &agent.origin,
                "agent.namespace has no effect: an ephemeral agent lives in the target's pod",
            );
        }
        for (name, tls) in ["tls_delivery", "https_delivery"]
            .into_iter()
            .filter_map(|name| Some((name, given(&format!("feature.network.incoming.{name}"))?)))
        {
            self.tls(name, &tls.value, &tls.origin);
        }
        let incoming = |name: &str| given(&format!("feature.network.incoming.{name}"));
        if let (Some(_), Some(old)) = (incoming("tls_delivery"), incoming("https_delivery")) {
            let message = "feature.network.incoming.tls_delivery and .https_delivery are the same \
                           and cannot both be given";
            self.error(Code::Conflict, &old.origin, message, "keep `tls_delivery`");
        }
        if let Some(preview) = given("feature.preview")
            && preview.value.get("ttl_mins").is_some()
            && preview.value.get("ttl_secs").is_some()
        {
            let message = "feature.preview.ttl_mins and .ttl_secs cannot both be given";
            self.error(
                Code::Conflict,
                &preview.origin,
                message,
                "keep one of the two",
            );
        }
    }

    fn tls(&mut self, name: &str, value: &Json, origin: &Origin) {
        let name = format!("feature.network.incoming.{name}");
        if value.get("protocol").and_then(Json::as_str) == Some("tcp") {
            return;
        }
        let roots = value.get("trust_roots").and_then(Json::as_array);
        if roots.is_some() && value.get("server_cert").is_some_and(Json::is_string) {
            let message = format!("{name}.trust_roots and .server_cert cannot both be given");
            self.error(Code::Conflict, origin, &message, "keep one of the two");
        }
        if roots.is_some_and(Vec::is_empty) {
            let message = format!("{name}.trust_roots is empty");
            self.error(
                Code::Missing,
                origin,
                &message,
                "list PEM files, or leave it out",
            );
        }
        let server = value.get("server_name").and_then(Json::as_str);
        if let Some(server) = server.filter(|server| !is_host(server)) {
            let message = format!("{name}.server_name: `{server}` is not a name or address");
            self.error(
                Code::BadFilter,
                origin,
                &message,
                "write it as `example.com`",
            );
        }
    }

    fn last_help(&mut self, help: &str) {
        if let Some(last) = self.problems.last_mut() {
            last.help = Some(help.to_owned());
        }
    }
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    text.parse::<std::net::IpAddr>().is_ok()
        || text.len() <= 253 && text.trim_end_matches('.').split('.').all(label)
}
