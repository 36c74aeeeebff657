//! The part about the network: destinations that were called from the pod, and ports of the pod
//! that the program listened on.

use std::net::SocketAddr;

use anyhow::Result;
use mirrord_protocol::session_control::Least;
use mirrord_rules::{AlignedBlock, Proto, RuleSource, Side, compile};
use serde_json::{Value as Json, json};

use super::key;
use crate::events::touched::Touched;

/// What stands in front of a filter's own words in the name of a rule.
const BY_FILTER: &str = "network.outgoing.filter.remote ";
const BY_UNIX: &str = "network.outgoing.unix_streams ";

/// Adds the keys of `feature.network.outgoing`.
pub(super) fn add_outgoing(
    touched: &Touched,
    source: &RuleSource,
    least: &mut Least,
) -> Result<()> {
    // Name servers are the pod's even when nothing else is, see `mirrord-rules`.
    let mut closed = source.clone();
    (closed.outgoing.tcp, closed.outgoing.udp) = (false, false);
    closed.outgoing.filter = None;
    let block = AlignedBlock::new(&compile(&closed)?);
    let rules = block.rules()?;
    let (mut filters, mut whys) = (Vec::new(), Vec::new());
    let (mut sockets, mut socket_whys) = (Vec::new(), Vec::new());
    for ((protocol, to), rule) in &touched.outgoing {
        if protocol == "unix" {
            let pattern = match rule.strip_prefix(BY_UNIX) {
                Some(pattern) => pattern.to_owned(),
                None => format!("^{}$", regex::escape(to)),
            };
            if !sockets.contains(&pattern) {
                sockets.push(pattern);
                socket_whys.push(format!("connected to {to}"));
            }
            continue;
        }
        let Ok(address) = to.parse::<SocketAddr>() else {
            let note = format!("{protocol} to {to} is no address that a filter can name");
            least.notes.push(note);
            continue;
        };
        let proto = match protocol.as_str() {
            "udp" => Proto::Udp,
            _ => Proto::Tcp,
        };
        if rules.outgoing(proto, address).place == Side::Remote {
            continue;
        }
        // The user's own words are steadier than an address, and may be a name.
        let filter = match rule.strip_prefix(BY_FILTER) {
            Some(own) if own != "(no match)" => own.to_owned(),
            _ => format!("{protocol}://{address}"),
        };
        if !filters.contains(&filter) {
            filters.push(filter);
            whys.push(format!("{protocol} to {address}"));
        }
    }
    let path = |key: &str| format!("feature.network.outgoing.{key}");
    if filters.is_empty() {
        let why = "nothing but name servers was called from the target";
        for protocol in ["tcp", "udp"] {
            least.keys.push(key(&path(protocol), json!(false), why));
        }
        least.keys.push(key(&path("filter"), Json::Null, why));
    } else {
        let why = "only these were called from the target; an address may be another one after the \
                   next rollout, a name or a subnet stays";
        for protocol in ["tcp", "udp"] {
            least.keys.push(key(&path(protocol), Json::Null, why));
        }
        let mut filter = key(&path("filter"), json!({ "remote": filters }), why);
        filter.items = whys;
        least.keys.push(filter);
    }
    let value = match sockets.is_empty() {
        true => Json::Null,
        false => json!(sockets),
    };
    let mut sockets = key(&path("unix_streams"), value, "sockets of the target");
    sockets.items = socket_whys;
    least.keys.push(sockets);
    Ok(())
}

/// Adds the keys of `feature.network.incoming`.
pub(super) fn add_incoming(touched: &Touched, least: &mut Least) {
    let path = |key: &str| format!("feature.network.incoming.{key}");
    let ignored = key(&path("ignore_ports"), Json::Null, "`ports` says it");
    least.keys.push(ignored);
    if touched.ports.is_empty() {
        let why = "the program listened on no port of the target";
        least.keys.push(key(&path("mode"), json!("off"), why));
        least.keys.push(key(&path("ports"), Json::Null, why));
        return;
    }
    // With a filter a port is mirrored only because filters are not served yet.
    let steals =
        |mode: &str, rule: &str| mode == "steal" || rule.contains("network.incoming.http_filter");
    let mut modes: Vec<bool> = touched
        .ports
        .values()
        .map(|port| steals(&port.mode, &port.rule))
        .collect();
    modes.dedup();
    let steal = modes.contains(&true);
    if modes.len() > 1 {
        let note = "some ports were stolen and others mirrored; a file knows one mode for all of \
                    them, and this one steals";
        least.notes.push(note.to_owned());
    }
    let (mode, why) = match steal {
        true => ("steal", "the program answered the target's clients"),
        false => ("mirror", "the program got a copy of what clients sent"),
    };
    least.keys.push(key(&path("mode"), json!(mode), why));
    let numbers: Vec<u16> = touched.ports.keys().copied().collect();
    let why = "the program listened on these and no others";
    let mut ports = key(&path("ports"), json!(numbers), why);
    let items = touched.ports.iter().map(|(number, port)| {
        let clients = match port.clients {
            1 => "1 connection".to_owned(),
            clients => format!("{clients} connections"),
        };
        format!("listened on {number}; {clients} came")
    });
    ports.items = items.collect();
    least.keys.push(ports);
}
