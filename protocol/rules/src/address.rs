//! The little language of `outgoing.filter` and `dns.filter`:
//! `[protocol://][name|address|subnet/bits][:port]`.

use std::net::{IpAddr, Ipv6Addr};

/// Transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Proto {
    /// Connections.
    Tcp,
    /// Datagrams.
    Udp,
}

/// One parsed filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressFilter {
    /// Only this protocol; `None` for both.
    pub proto: Option<Proto>,
    /// Only this destination.
    pub host: Host,
    /// Only this port; 0 for all.
    pub port: u16,
}

/// The destination part of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// Any address; also what `0.0.0.0` and `[::]` mean.
    Any,
    /// One address, or a subnet with that many leading bits.
    Net(IpAddr, u8),
    /// Whatever this name resolves to.
    Name(String),
}

/// What is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError(String);

impl std::fmt::Display for AddressError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}; write [protocol://][name|address|subnet/bits][:port], as `tcp://10.0.0.0/8:5432`, \
             `example.com`, `[2001:db8::1]:443` or `:53`",
            self.0
        )
    }
}

impl std::error::Error for AddressError {}

impl std::str::FromStr for AddressFilter {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (proto, rest) = match text.split_once("://") {
            Some((proto, rest)) => (parse_proto(proto)?, Some(rest)),
            None => (None, None),
        };
        // `tcp://` alone means all of TCP; an empty text means nothing.
        let rest = match rest {
            Some("") => {
                return Ok(AddressFilter {
                    proto,
                    host: Host::Any,
                    port: 0,
                });
            }
            Some(rest) => rest,
            None if text.is_empty() => return Err(AddressError("the filter is empty".into())),
            None => text,
        };
        let (host, port) = split_port(rest)?;
        let port = match port {
            None => 0,
            Some(port) => port.parse().map_err(|_| {
                AddressError(format!("`{port}` is not a port (a number from 0 to 65535)"))
            })?,
        };
        Ok(AddressFilter {
            proto,
            host: parse_host(host)?,
            port,
        })
    }
}

impl AddressFilter {
    /// Whether the filter speaks of this destination, apart from names.
    pub fn covers(&self, proto: Proto, address: IpAddr, port: u16) -> bool {
        self.proto.is_none_or(|own| own == proto)
            && (self.port == 0 || self.port == port)
            && match &self.host {
                Host::Any => true,
                Host::Net(net, bits) => contains(*net, *bits, address),
                Host::Name(_) => false,
            }
    }
}

/// Whether the first `bits` bits are equal. Families never mix, as in mirrord.
pub(crate) fn contains(net: IpAddr, bits: u8, address: IpAddr) -> bool {
    let (net, address, width) = match (net, address) {
        (IpAddr::V4(net), IpAddr::V4(address)) => (
            u128::from(u32::from(net)),
            u128::from(u32::from(address)),
            32,
        ),
        (IpAddr::V6(net), IpAddr::V6(address)) => (u128::from(net), u128::from(address), 128),
        _ => return false,
    };
    bits == 0 || (net ^ address) >> (width - u32::from(bits).min(width)) == 0
}

fn parse_proto(text: &str) -> Result<Option<Proto>, AddressError> {
    match text.to_ascii_lowercase().as_str() {
        "any" => Ok(None),
        "tcp" => Ok(Some(Proto::Tcp)),
        "udp" => Ok(Some(Proto::Udp)),
        _ => Err(AddressError(format!(
            "`{text}` is not a protocol (`tcp`, `udp` or `any`)"
        ))),
    }
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), AddressError> {
    if let Some(inner) = text.strip_prefix('[') {
        let end = inner
            .find(']')
            .ok_or_else(|| AddressError("a `[` without its `]`".into()))?;
        // `[net]/bits:port`: the brackets end before the bits.
        let (rest_start, rest) = (end + 2, &inner[end + 1..]);
        return match rest.split_once(':') {
            Some((bits, port)) => Ok((&text[..rest_start + bits.len()], Some(port))),
            None => Ok((text, None)),
        };
    }
    // An IPv6 address without brackets cannot carry a port; mirrord refuses it, we need not.
    if text
        .split('/')
        .next()
        .is_some_and(|net| net.parse::<Ipv6Addr>().is_ok())
    {
        return Ok((text, None));
    }
    Ok(match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    })
}

fn parse_host(text: &str) -> Result<Host, AddressError> {
    if text.is_empty() {
        return Ok(Host::Any);
    }
    let (net, bits) = match text.split_once('/') {
        Some((net, bits)) => (net, Some(bits)),
        None => (text, None),
    };
    let plain = net
        .strip_prefix('[')
        .and_then(|net| net.strip_suffix(']'))
        .unwrap_or(net);
    match (plain.parse::<IpAddr>(), bits) {
        (Ok(net), Some(bits)) => {
            let most = if net.is_ipv4() { 32 } else { 128 };
            match bits.parse::<u8>() {
                Ok(bits) if bits <= most => Ok(Host::Net(net, bits)),
                _ => Err(AddressError(format!(
                    "`/{bits}` is not a prefix length (0 to {most})"
                ))),
            }
        }
        (Ok(net), None) if net.is_unspecified() => Ok(Host::Any),
        (Ok(net), None) => Ok(Host::Net(net, if net.is_ipv4() { 32 } else { 128 })),
        (Err(_), Some(_)) => Err(AddressError(format!(
            "`{net}` before `/` is not an address"
        ))),
        (Err(_), None) if plain.len() != net.len() => {
            Err(AddressError(format!("`{plain}` is not an IPv6 address")))
        }
        (Err(_), None) if is_name(net) => Ok(Host::Name(net.to_owned())),
        (Err(_), None) => Err(AddressError(format!(
            "`{net}` is neither an address nor a name"
        ))),
    }
}

fn is_name(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> AddressFilter {
        text.parse()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn every_form_is_understood() {
        let net = |net: &str, bits| Host::Net(net.parse().unwrap(), bits);
        let name = |name: &str| Host::Name(name.into());
        let tcp = Some(Proto::Tcp);
        for (text, proto, host, port) in [
            ("tcp://1.2.3.0/24:7777", tcp, net("1.2.3.0", 24), 7777),
            (
                "tcp://[2800:3f0:4001:81e::2004]:7777",
                tcp,
                net("2800:3f0:4001:81e::2004", 128),
                7777,
            ),
            ("[2001:db8::]/32:443", None, net("2001:db8::", 32), 443),
            ("[2001:db8::]/32", None, net("2001:db8::", 32), 0),
            ("2001:db8::1", None, net("2001:db8::1", 128), 0),
            ("tcp://", tcp, Host::Any, 0),
            ("UDP://:53", Some(Proto::Udp), Host::Any, 53),
            ("any://example.com", None, name("example.com"), 0),
            ("tcp://google.com:7777", tcp, name("google.com"), 7777),
            ("rust-lang.org", None, name("rust-lang.org"), 0),
            ("my_service", None, name("my_service"), 0),
            ("1.1.5.0/24", None, net("1.1.5.0", 24), 0),
            ("7.7.7.7", None, net("7.7.7.7", 32), 0),
            ("0.0.0.0:0", None, Host::Any, 0),
            ("[::]:80", None, Host::Any, 80),
            (":1337", None, Host::Any, 1337),
        ] {
            assert_eq!(parse(text), AddressFilter { proto, host, port }, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_part_that_is_wrong() {
        for (text, part) in [
            ("", "empty"),
            ("ftp://a", "`ftp`"),
            ("a:port", "`port`"),
            ("a:70000", "`70000`"),
            ("1.2.3.4/33", "`/33`"),
            ("name/24", "`name`"),
            ("[::1", "`[`"),
            ("[name]:1", "`name`"),
            ("a b", "`a b`"),
        ] {
            let error = text.parse::<AddressFilter>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_subnet_covers_its_addresses_and_no_others() {
        let filter = parse("tcp://10.1.0.0/16:80");
        let covers = |proto, ip: &str, port| filter.covers(proto, ip.parse().unwrap(), port);
        assert!(covers(Proto::Tcp, "10.1.255.255", 80));
        assert!(!covers(Proto::Tcp, "10.2.0.0", 80));
        assert!(!covers(Proto::Tcp, "10.1.0.1", 81));
        assert!(!covers(Proto::Udp, "10.1.0.1", 80));
        assert!(!covers(Proto::Tcp, "::ffff:10.1.0.1", 80));
        assert!(parse("0.0.0.0/0").covers(Proto::Udp, "9.9.9.9".parse().unwrap(), 1));
    }
}
