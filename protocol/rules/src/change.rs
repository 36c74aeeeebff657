//! Changing one rule: a source that decides otherwise about one path or one host, and what keeps
//! that in the configuration. A change is always one that the configuration can express, so what
//! a running session does is what the next one does from the changed file.

use std::net::SocketAddr;

use crate::address::{AddressFilter, Host, Proto};
use crate::decide::{Access, PathPlace, is_plain};
use crate::network::Side;
use crate::source::{FsMode, RuleSource};
use crate::{AlignedBlock, compile};

/// A changed source.
#[derive(Debug)]
pub struct Changed {
    /// The rules from now on.
    pub source: RuleSource,
    /// They, compiled.
    pub block: AlignedBlock,
    /// The key in the configuration that keeps the change, from the outermost.
    pub key: Vec<&'static str>,
    /// Its whole new value; `None`: nothing, the key is to be taken out.
    pub value: Option<Vec<String>>,
    /// What else has to be changed in the configuration, in words.
    pub also: Vec<String>,
}

/// A port that names nothing in particular, to ask about a host as a whole.
const ANY_PORT: u16 = 1;

/// This path and all below it is there from now on.
pub fn choose_path(
    source: &RuleSource,
    path: &str,
    place: PathPlace,
) -> Result<Changed, ChangeError> {
    let path = match path.trim_end_matches('/') {
        "" if path.starts_with('/') => "/",
        path => path,
    };
    if !is_plain(path.as_bytes()) {
        return Err(ChangeError::Path(path.to_owned()));
    }
    let pattern = match path {
        "/" => "^/".to_owned(),
        path => format!("^{}(/|$)", regex_syntax::escape(path)),
    };
    let mut now = source.clone();
    let fs = &mut now.fs;
    let chosen = match place {
        PathPlace::NotFound => "not_found",
        PathPlace::Remote { writable: true } => "read_write",
        PathPlace::Remote { writable: false } => "read_only",
        PathPlace::Local | PathPlace::LocalTrusted | PathPlace::Mapped => "local",
    };
    let (mut value, mut also) = (Vec::new(), Vec::new());
    for (name, list) in [
        ("not_found", &mut fs.not_found),
        ("read_write", &mut fs.read_write),
        ("read_only", &mut fs.read_only),
        ("local", &mut fs.local),
    ] {
        if name == chosen {
            if !list.contains(&pattern) {
                list.push(pattern.clone());
            }
            value.clone_from(list);
        } else if list.contains(&pattern) {
            list.retain(|other| *other != pattern);
            also.push(format!("take {pattern} out of feature.fs.{name}"));
        }
    }
    let block = compiled(&now)?;
    let rules = block
        .rules()
        .map_err(|error| ChangeError::Rules(error.to_string()))?;
    let decision = rules.path(path.as_bytes(), Access::Read);
    let is_local = |place| matches!(place, PathPlace::Local | PathPlace::LocalTrusted);
    if decision.place != place && !(is_local(decision.place) && is_local(place)) {
        return Err(ChangeError::First {
            what: path.to_owned(),
            rule: decision.rule.to_string(),
            help: match now.fs.mode {
                FsMode::Local => "set it to localwithoverrides",
                _ => "change that rule in the configuration",
            },
        });
    }
    Ok(Changed {
        source: now,
        block,
        key: vec!["feature", "fs", chosen],
        value: Some(value),
        also,
    })
}

/// Connections to this host (a name, an address or a subnet), or to one port of it, go out there
/// from now on.
pub fn choose_host(
    source: &RuleSource,
    host: &str,
    port: Option<u16>,
    side: Side,
) -> Result<Changed, ChangeError> {
    let host = match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    };
    let text = port.map_or(host.clone(), |port| format!("{host}:{port}"));
    let filter: AddressFilter = text
        .parse()
        .map_err(|error: crate::AddressError| ChangeError::Host(error.to_string()))?;
    let mut now = source.clone();
    let filters = &mut now.outgoing.filter;
    match filters {
        None if side == Side::Local => *filters = Some((Side::Local, vec![text.clone()])),
        None => {}
        Some((listed, list)) if *listed == side && list.contains(&text) => {}
        Some((listed, list)) if *listed == side => list.push(text.clone()),
        Some((_, list)) => list.retain(|other| *other != text),
    }
    // "These are local" of none is what no filter says; "these are the pod's" of none is not.
    if matches!(filters, Some((Side::Local, list)) if list.is_empty()) {
        *filters = None;
    }
    let mut key = vec!["feature", "network", "outgoing", "filter"];
    let value = filters.as_ref().map(|(listed, list)| {
        key.push(match listed {
            Side::Local => "local",
            Side::Remote => "remote",
        });
        list.clone()
    });
    let block = compiled(&now)?;
    let rules = block
        .rules()
        .map_err(|error| ChangeError::Rules(error.to_string()))?;
    let port = if filter.port == 0 {
        ANY_PORT
    } else {
        filter.port
    };
    let address = match filter.host {
        Host::Net(address, _) => address,
        // Any address that no filter by address is likely to mean (RFC 5737).
        Host::Name(_) | Host::Any => std::net::Ipv4Addr::new(192, 0, 2, 1).into(),
    };
    let protocol = match filter.proto {
        Some(protocol) => protocol,
        None if now.outgoing.tcp => Proto::Tcp,
        None => Proto::Udp,
    };
    let is_it = |name: &str| matches!(&filter.host, Host::Name(own) if own == name);
    let decision = rules.outgoing_named(protocol, SocketAddr::new(address, port), |other| {
        Some(is_it(other.name))
    });
    if decision.place != side {
        return Err(ChangeError::First {
            what: text,
            rule: decision.rule.to_string(),
            help: "change that rule in the configuration",
        });
    }
    Ok(Changed {
        source: now,
        block,
        key,
        value,
        also: Vec::new(),
    })
}

fn compiled(source: &RuleSource) -> Result<AlignedBlock, ChangeError> {
    let block = compile(source).map_err(|error| ChangeError::Rules(error.to_string()))?;
    Ok(AlignedBlock::new(&block))
}

/// Why a rule cannot be changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It is no path that can be decided about.
    #[error("{0:?} is not an absolute path without `.` and `..`")]
    Path(String),
    /// It is no host.
    #[error("{0}")]
    Host(String),
    /// Another rule comes first.
    #[error("{what} is decided by `{rule}`, which comes before; {help}")]
    First {
        /// The path or host.
        what: String,
        /// The rule that decides.
        rule: String,
        /// The next step.
        help: &'static str,
    },
    /// All of them together cannot be used.
    #[error("the changed rules cannot be used: {0}")]
    Rules(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    const REMOTE: PathPlace = PathPlace::Remote { writable: false };

    #[test]
    fn a_path_goes_where_it_was_sent_and_the_file_would_say_so() {
        let first = choose_path(&RuleSource::default(), "/data.d/", PathPlace::Local).unwrap();
        assert_eq!(first.key, ["feature", "fs", "local"]);
        assert_eq!(first.value.unwrap(), [r"^/data\.d(/|$)"]);
        let place = |block: &AlignedBlock, path: &str| {
            let rules = block.rules().unwrap();
            rules.path(path.as_bytes(), Access::Read).place
        };
        assert_eq!(place(&first.block, "/data.d/x"), PathPlace::Local);
        assert_eq!(place(&first.block, "/dataxd/x"), REMOTE);
        let back = choose_path(&first.source, "/data.d", REMOTE).unwrap();
        assert_eq!(back.key, ["feature", "fs", "read_only"]);
        assert_eq!(back.also, [r"take ^/data\.d(/|$) out of feature.fs.local"]);
        assert_eq!(place(&back.block, "/data.d/x"), REMOTE);
        let gone = choose_path(&back.source, "/data.d", PathPlace::NotFound).unwrap();
        assert_eq!(place(&gone.block, "/data.d"), PathPlace::NotFound);
    }

    #[test]
    fn a_rule_that_comes_first_is_named() {
        let mut source = RuleSource::default();
        source.fs.not_found = vec!["secret".into()];
        let error = choose_path(&source, "/secret/x", PathPlace::Local).unwrap_err();
        assert!(error.to_string().contains("fs.not_found secret"), "{error}");
        source.fs.mode = FsMode::Local;
        let error = choose_path(&source, "/data", REMOTE).unwrap_err();
        assert!(error.to_string().contains("localwithoverrides"), "{error}");
        for path in ["data", "/a/../b", ""] {
            let error = choose_path(&source, path, REMOTE).unwrap_err();
            assert!(matches!(error, ChangeError::Path(_)), "{error}");
        }
    }

    #[test]
    fn a_host_goes_where_it_was_sent() {
        let none = RuleSource::default();
        let local = choose_host(&none, "db.example", Some(5432), Side::Local).unwrap();
        assert_eq!(
            local.key,
            ["feature", "network", "outgoing", "filter", "local"]
        );
        assert_eq!(local.value.unwrap(), ["db.example:5432"]);
        let back = choose_host(&local.source, "db.example", Some(5432), Side::Remote).unwrap();
        assert_eq!((back.value, back.source), (None, none));
        let six = choose_host(&local.source, "2001:db8::1", None, Side::Local).unwrap();
        assert_eq!(six.value.unwrap(), ["db.example:5432", "[2001:db8::1]"]);
        let mut listed = RuleSource::default();
        listed.outgoing.filter = Some((Side::Remote, vec!["10.0.0.0/8".into()]));
        let error = choose_host(&listed, "10.1.2.3", None, Side::Local).unwrap_err();
        assert!(error.to_string().contains("10.0.0.0/8"), "{error}");
        assert!(choose_host(&listed, "::bad::", None, Side::Local).is_err());
    }
}
