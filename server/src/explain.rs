//! Where something would go and by which rule, without a run: the same rules that a session
//! compiles, asked once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::daemon::configs::origin_of;
use anyhow::{Result, bail};
use mirrord_config::config::agent::Replicas;
use mirrord_config::{Config, machine};
use mirrord_editor_protocol::explain::{ExplainParams, ExplainResult};
use mirrord_rules::{Access, IncomingMode, PathPlace, Proto, Rules, Side};

/// Stands for the address of a name that nobody resolved (RFC 5737).
const SOME_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Explains one thing.
pub fn explain(config: &Config, asked: &ExplainParams) -> Result<ExplainResult> {
    let mut result = look(config, asked)?;
    result.origin = Some(origin_of(&config.rule_origin(&result.rule)));
    Ok(result)
}

fn look(config: &Config, asked: &ExplainParams) -> Result<ExplainResult> {
    let block = config.compiled_rules_for(&machine(None))?;
    let rules = block.rules()?;
    match asked {
        ExplainParams {
            path: Some(path),
            host: None,
            port: None,
            env: None,
            ..
        } => path_place(&rules, path),
        ExplainParams {
            path: None,
            host: Some(host),
            port,
            env: None,
            ..
        } => Ok(host_place(&rules, host, port.unwrap_or(0))),
        ExplainParams {
            path: None,
            host: None,
            port: Some(port),
            env: None,
            ..
        } => {
            let mut result = port_place(&rules, *port);
            if config.agent.replicas.value == Replicas::All && result.place != "off" {
                let detail = "; of every pod of the workload (by agent.replicas)";
                result.detail.push_str(detail);
            }
            Ok(result)
        }
        ExplainParams {
            path: None,
            host: None,
            port: None,
            env: Some(name),
            ..
        } => env_place(config, name),
        _ => bail!("ask for one thing: a path, a host (with or without a port), a port, or env"),
    }
}

fn answer(place: &str, rule: &str, detail: String) -> ExplainResult {
    ExplainResult {
        place: place.to_owned(),
        rule: rule.to_owned(),
        detail,
        origin: None,
        config: None,
    }
}

fn path_place(rules: &Rules<'_>, path: &str) -> Result<ExplainResult> {
    if !mirrord_rules::is_plain(path.as_bytes()) {
        bail!("{path:?} is not an absolute path without `.`, `..` and doubled slashes");
    }
    let read = rules.path(path.as_bytes(), Access::Read);
    let write = rules.path(path.as_bytes(), Access::Write);
    let (place, detail) = match (read.place, write.place) {
        (PathPlace::NotFound, _) => ("notFound", "nowhere: it is answered with \"no such file\""),
        (PathPlace::Mapped, _) => ("mapped", "at another path: a mapping replaces it first"),
        (PathPlace::Remote { .. }, PathPlace::Remote { writable: true }) => {
            ("remote", "in the pod, for reading and writing")
        }
        (PathPlace::Remote { .. }, PathPlace::Remote { .. }) => {
            ("remote", "in the pod, for reading; writing is refused")
        }
        (PathPlace::Remote { .. }, _) => (
            "remote",
            "in the pod for reading, and on this machine for writing",
        ),
        (PathPlace::Local | PathPlace::LocalTrusted, _) => ("local", "on this machine"),
    };
    let rule = read.rule.as_str();
    Ok(answer(
        place,
        rule,
        format!("{path} is {detail} (by {rule})"),
    ))
}

fn host_place(rules: &Rules<'_>, host: &str, port: u16) -> ExplainResult {
    let address = host.parse::<IpAddr>().ok();
    let to = SocketAddr::new(address.unwrap_or(SOME_ADDRESS), port);
    let decision = rules.outgoing_named(Proto::Tcp, to, |filter| {
        Some(address.is_none() && filter.name == host)
    });
    let rule = decision.rule.as_str();
    let place = side(decision.place);
    let mut detail = format!(
        "connections to {host} go out from {} (by {rule})",
        whose(decision.place)
    );
    if address.is_none() {
        let dns = rules.dns(host, port);
        detail.push_str(&format!(
            "; the name is resolved by {} (by {}); rules for addresses apply to what it resolves to",
            whose(dns.place),
            dns.rule
        ));
    }
    answer(place, rule, detail)
}

fn port_place(rules: &Rules<'_>, port: u16) -> ExplainResult {
    let decision = rules.incoming(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port));
    let rule = decision.rule.as_str();
    let pod = decision.pod_port;
    let (place, detail) = match decision.mode {
        IncomingMode::Off => (
            "off",
            format!("the pod's traffic on port {pod} stays in the pod"),
        ),
        IncomingMode::Mirror => (
            "mirror",
            format!("a program that listens on {port} gets a copy of the pod's traffic on {pod}"),
        ),
        IncomingMode::Steal => (
            "steal",
            format!("a program that listens on {port} answers the pod's clients on {pod}"),
        ),
    };
    answer(place, rule, format!("{detail} (by {rule})"))
}

fn env_place(config: &Config, name: &str) -> Result<ExplainResult> {
    let remote = [(name.as_bytes().to_vec(), Vec::new())];
    let merged = config.environment(&[], &remote)?;
    let is_it = |other: &[u8]| other == name.as_bytes();
    if let Some(variable) = merged
        .variables
        .iter()
        .find(|variable| is_it(&variable.name))
    {
        let place = match variable.from {
            mirrord_config::environment::Source::Local => "local",
            _ => "remote",
        };
        let detail = format!(
            "{name} comes from the configuration or the pod (by {})",
            variable.rule
        );
        return Ok(answer(place, &variable.rule, detail));
    }
    let gone = merged.left_out.iter().chain(&merged.removed);
    let rule = gone
        .into_iter()
        .find(|(other, _)| is_it(other))
        .map_or("env", |(_, rule)| rule.as_str());
    let detail = format!("{name} is not taken from the pod (by {rule})");
    Ok(answer("local", rule, detail))
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Local => "local",
        Side::Remote => "remote",
    }
}

fn whose(side: Side) -> &'static str {
    match side {
        Side::Local => "this machine",
        Side::Remote => "the pod",
    }
}
