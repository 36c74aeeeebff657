//! Deciding about destinations, names and listening ports.

use std::net::{IpAddr, SocketAddr};

use crate::address::{Proto, contains};
use crate::block::{Reader, Section, Table};
use crate::decide::{Automata, OTHER_GROUPS, Rule, Rules};
use crate::error::BlockError;

/// The two sides a thing can be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// This machine.
    Local,
    /// The pod.
    Remote,
}

/// The port of name servers (RFC 1035).
const NAME_SERVICE: u16 = 53;

impl Side {
    fn other(self) -> Side {
        match self {
            Side::Local => Side::Remote,
            Side::Remote => Side::Local,
        }
    }
}

/// Where a connection goes.
pub type OutgoingPlace = Side;

/// A decision about a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutgoingDecision<'a> {
    /// Where it goes.
    pub place: OutgoingPlace,
    /// Why.
    pub rule: Rule<'a>,
    /// A filter by name could have said otherwise, had it been known what the name resolves to:
    /// see [`Rules::outgoing_named`].
    pub unsure: bool,
}

/// A filter by name that stands in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameFilter<'a> {
    /// The name.
    pub name: &'a str,
    /// Only this port; 0 for all.
    pub port: u16,
    /// Where a match goes, and where mirrord resolves the name.
    pub side: Side,
}

/// A decision about a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsDecision<'a> {
    /// Where it is resolved.
    pub place: Side,
    /// Why.
    pub rule: Rule<'a>,
    /// Whether an entry of the filter speaks of it.
    pub matched: bool,
}

/// What happens with a port that the program listens on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum IncomingMode {
    /// Nothing.
    Off,
    /// The pod's program answers; the local one gets a copy of what the client sends.
    #[default]
    Mirror,
    /// The local program answers.
    Steal,
}

/// A decision about a listening port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IncomingDecision<'a> {
    /// What happens.
    pub mode: IncomingMode,
    /// Port to take in the pod.
    pub pod_port: u16,
    /// Port that the program's socket must be bound to on this machine (`listen_ports`); `None`:
    /// the one it asked for, or any when that is taken.
    pub listen_port: Option<u16>,
    /// Why.
    pub rule: Rule<'a>,
}

/// What a record in the section of ports says; the numbers are the block's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum PortSays {
    Taken = 1,
    Ignored = 2,
    Mapped = 3,
    Listen = 4,
    HttpFiltered = 5,
}

/// Bits of the settings word.
pub(crate) mod flag {
    pub(crate) const TCP: u32 = 1;
    pub(crate) const UDP: u32 = 1 << 1;
    pub(crate) const OUTGOING_IGNORE_LOCALHOST: u32 = 1 << 2;
    pub(crate) const FILTER_LOCAL: u32 = 1 << 3;
    pub(crate) const FILTER_REMOTE: u32 = 1 << 4;
    pub(crate) const DNS_OFF: u32 = 1 << 5;
    pub(crate) const DNS_LOCAL: u32 = 1 << 6;
    pub(crate) const DNS_REMOTE: u32 = 1 << 7;
    pub(crate) const PORTS_LISTED: u32 = 1 << 8;
    pub(crate) const INCOMING_IGNORE_LOCALHOST: u32 = 1 << 9;
    pub(crate) const HTTP_ALL: u32 = 1 << 10;
}

/// Words of an address filter's record: rule text, protocol (0 any, 1 TCP, 2 UDP), kind of host
/// (0 any, 4, 6, 9 name), prefix length, port, address, name.
pub(crate) const FILTER_WORDS: usize = 12;

/// The network part of a block.
#[derive(Clone)]
pub(crate) struct Network<'a> {
    flags: u32,
    mode: IncomingMode,
    unix: Automata<'a, OTHER_GROUPS>,
    unix_patterns: Table<'a, 2>,
    outgoing: Table<'a, FILTER_WORDS>,
    dns: Table<'a, FILTER_WORDS>,
    ports: Table<'a, 5>,
}

impl<'a> Network<'a> {
    pub(crate) fn read(reader: &Reader<'a>) -> Result<Self, BlockError> {
        let [_, flags, mode, ..] = reader.table::<8>(Section::Settings).get(0);
        Ok(Network {
            flags,
            mode: match mode {
                1 => IncomingMode::Off,
                2 => IncomingMode::Mirror,
                3 => IncomingMode::Steal,
                _ => return Err(BlockError::Cut),
            },
            unix: Automata::read(reader, Section::UnixGroups)?,
            unix_patterns: reader.table(Section::UnixPatterns),
            outgoing: reader.table(Section::OutgoingFilters),
            dns: reader.table(Section::DnsFilters),
            ports: reader.table(Section::Ports),
        })
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn port(&self, says: PortSays, port: u16) -> Option<[u32; 5]> {
        (0..self.ports.len())
            .map(|index| self.ports.get(index))
            .find(|record| record[0] == says as u32 && record[1] == u32::from(port))
    }
}

impl<'a> Rules<'a> {
    /// Where a TCP connection or a datagram goes, when nothing is known about names.
    pub fn outgoing(&self, proto: Proto, to: SocketAddr) -> OutgoingDecision<'a> {
        self.outgoing_named(proto, to, |_| None)
    }

    /// As [`Rules::outgoing`]. `resolves_to(filter)` tells whether the filter's name resolves to
    /// this destination; `None` when that is not known.
    pub fn outgoing_named(
        &self,
        proto: Proto,
        to: SocketAddr,
        mut resolves_to: impl FnMut(NameFilter<'a>) -> Option<bool>,
    ) -> OutgoingDecision<'a> {
        let network = &self.network;
        let decided = |place, rule| OutgoingDecision {
            place,
            rule,
            unsure: false,
        };
        // An IPv4 destination of an IPv6 socket is an IPv4 destination (ipv6(7)).
        let address = to.ip().to_canonical();
        let nowhere = address.is_loopback() || address.is_unspecified();
        if nowhere && network.has(flag::OUTGOING_IGNORE_LOCALHOST) {
            return decided(
                Side::Local,
                Rule::fixed("network.outgoing.ignore_localhost true"),
            );
        }
        if to.port() == 0 {
            return decided(Side::Local, Rule::fixed("network.outgoing (port 0)"));
        }
        // The pod's name servers are reached from the pod whatever else is: the settings of
        // outgoing traffic are not about names, which the peer looks up on a way of its own.
        let name_server = || {
            let (place, rule) = if network.has(flag::DNS_OFF) {
                (Side::Local, "network.dns.enabled false")
            } else {
                (Side::Remote, "network.dns")
            };
            (to.port() == NAME_SERVICE).then(|| decided(place, Rule::fixed(rule)))
        };
        match proto {
            Proto::Tcp if !network.has(flag::TCP) => {
                let local = || decided(Side::Local, Rule::fixed("network.outgoing.tcp false"));
                return name_server().unwrap_or_else(local);
            }
            Proto::Udp if !network.has(flag::UDP) => {
                let local = || decided(Side::Local, Rule::fixed("network.outgoing.udp false"));
                return name_server().unwrap_or_else(local);
            }
            _ => {}
        }
        let (side, missed) = if network.has(flag::FILTER_LOCAL) {
            (Side::Local, "network.outgoing.filter.local (no match)")
        } else if network.has(flag::FILTER_REMOTE) {
            (Side::Remote, "network.outgoing.filter.remote (no match)")
        } else {
            let otherwise = || decided(Side::Remote, Rule::fixed("network.outgoing"));
            return if network.has(flag::DNS_OFF) {
                // With names resolved on this machine, its own name servers must be reached from
                // here. The peer never sees libc's calls of them; the kernel shows them to us.
                name_server().unwrap_or_else(otherwise)
            } else {
                otherwise()
            };
        };
        let mut unsure = false;
        for index in 0..network.outgoing.len() {
            let record = network.outgoing.get(index);
            let matched = match self.covers(&record, Some(proto), address, to.port()) {
                Covers::Yes => true,
                Covers::No => false,
                Covers::Name(name) => {
                    match resolves_to(NameFilter {
                        name,
                        port: record[5] as u16,
                        side,
                    }) {
                        Some(matched) => matched,
                        None => {
                            unsure = true;
                            false
                        }
                    }
                }
            };
            if matched {
                return decided(side, Rule(self.reader.text([record[0], record[1]])));
            }
        }
        name_server().unwrap_or(OutgoingDecision {
            place: side.other(),
            rule: Rule::fixed(missed),
            unsure,
        })
    }

    /// Where a Unix stream connection goes. `name` is the path, or the abstract name without its
    /// leading NUL.
    pub fn outgoing_unix(&self, name: &[u8]) -> OutgoingDecision<'a> {
        let (place, rule) = match self.network.unix.first_match(name) {
            Some(pattern) => {
                let rule = Rule(self.reader.text(self.network.unix_patterns.get(pattern)));
                (Side::Remote, rule)
            }
            None => (
                Side::Local,
                Rule::fixed("network.outgoing.unix_streams (no match)"),
            ),
        };
        OutgoingDecision {
            place,
            rule,
            unsure: false,
        }
    }

    /// The filters by name in `outgoing.filter`, so that they can be resolved beforehand.
    pub fn outgoing_names(&self) -> impl Iterator<Item = NameFilter<'a>> + use<'a> {
        let (table, reader) = (self.network.outgoing, self.reader);
        let side = if self.network.has(flag::FILTER_LOCAL) {
            Side::Local
        } else {
            Side::Remote
        };
        (0..table.len())
            .map(move |index| table.get(index))
            .filter(|record| record[3] == 9)
            .map(move |record| NameFilter {
                name: Rule(reader.text([record[10], record[11]])).as_str(),
                port: record[5] as u16,
                side,
            })
    }

    /// Whether names are told apart at all.
    pub fn has_dns_filter(&self) -> bool {
        let network = &self.network;
        let filtered = network.has(flag::DNS_LOCAL) || network.has(flag::DNS_REMOTE);
        filtered && !network.has(flag::DNS_OFF)
    }

    /// Where a name is resolved. `port` is the service's; with 0 it is not known, and a filter by
    /// name and port speaks of the name.
    pub fn dns(&self, name: &str, port: u16) -> DnsDecision<'a> {
        let network = &self.network;
        let decided = |place, rule| DnsDecision {
            place,
            rule,
            matched: false,
        };
        if network.has(flag::DNS_OFF) {
            return decided(Side::Local, Rule::fixed("network.dns.enabled false"));
        }
        let (side, missed) = if network.has(flag::DNS_LOCAL) {
            (Side::Local, "network.dns.filter.local (no match)")
        } else if network.has(flag::DNS_REMOTE) {
            (Side::Remote, "network.dns.filter.remote (no match)")
        } else {
            return decided(Side::Remote, Rule::fixed("network.dns"));
        };
        let address = name.parse::<IpAddr>().ok();
        for index in 0..network.dns.len() {
            let record = network.dns.get(index);
            let unknown_port = port == 0 && record[3] == 9;
            let right_port = record[5] == 0 || record[5] == u32::from(port) || unknown_port;
            let matched = right_port
                && match (record[3], address) {
                    (0, _) => true,
                    (9, _) => same_name(self.reader.text([record[10], record[11]]), name),
                    (_, Some(address)) => {
                        matches!(self.covers(&record, None, address, port), Covers::Yes)
                    }
                    (_, None) => false,
                };
            if matched {
                let rule = Rule(self.reader.text([record[0], record[1]]));
                return DnsDecision {
                    place: side,
                    rule,
                    matched: true,
                };
            }
        }
        decided(side.other(), Rule::fixed(missed))
    }

    /// What happens when the program listens on `asked` (the address it asked for in `bind`).
    pub fn incoming(&self, asked: SocketAddr) -> IncomingDecision<'a> {
        let network = &self.network;
        let port = asked.port();
        let target = |record: [u32; 5]| record[2] as u16;
        let pod_port = network.port(PortSays::Mapped, port).map_or(port, target);
        let listen_port = network.port(PortSays::Listen, port).map(target);
        let decided = |mode, rule| IncomingDecision {
            mode,
            pod_port,
            listen_port,
            rule,
        };
        let off = |rule| decided(IncomingMode::Off, Rule::fixed(rule));

        if network.mode == IncomingMode::Off {
            return off("network.incoming.mode off");
        }
        if port == 0 {
            return off("network.incoming (the kernel chooses the port)");
        }
        if let Some(record) = network.port(PortSays::Ignored, port) {
            return decided(
                IncomingMode::Off,
                Rule(self.reader.text([record[3], record[4]])),
            );
        }
        if network.has(flag::INCOMING_IGNORE_LOCALHOST) && asked.ip().to_canonical().is_loopback() {
            return off("network.incoming.ignore_localhost true");
        }
        let taken = network.port(PortSays::Taken, pod_port);
        if network.has(flag::PORTS_LISTED) && taken.is_none() {
            return off("network.incoming.ports (not listed)");
        }
        let filtered =
            network.has(flag::HTTP_ALL) || network.port(PortSays::HttpFiltered, pod_port).is_some();
        match network.mode {
            IncomingMode::Steal if filtered => decided(
                IncomingMode::Mirror,
                Rule::fixed("network.incoming.http_filter (not yet: mirrored)"),
            ),
            IncomingMode::Steal => decided(
                IncomingMode::Steal,
                Rule::fixed("network.incoming.mode steal"),
            ),
            IncomingMode::Mirror | IncomingMode::Off => decided(
                IncomingMode::Mirror,
                Rule::fixed("network.incoming.mode mirror"),
            ),
        }
    }

    fn covers(
        &self,
        record: &[u32; FILTER_WORDS],
        proto: Option<Proto>,
        address: IpAddr,
        port: u16,
    ) -> Covers<'a> {
        let right_proto = match (record[2], proto) {
            (0, _) | (_, None) => true,
            (1, Some(proto)) => proto == Proto::Tcp,
            (_, Some(proto)) => proto == Proto::Udp,
        };
        if !right_proto || (record[5] != 0 && record[5] != u32::from(port)) {
            return Covers::No;
        }
        let net = match record[3] {
            0 => return Covers::Yes,
            9 => {
                return Covers::Name(Rule(self.reader.text([record[10], record[11]])).as_str());
            }
            4 => IpAddr::from(record[6].to_be_bytes()),
            _ => {
                let mut bytes = [0; 16];
                for (part, word) in bytes.chunks_exact_mut(4).zip(&record[6..10]) {
                    part.copy_from_slice(&word.to_be_bytes());
                }
                IpAddr::from(bytes)
            }
        };
        if contains(net, record[4] as u8, address) {
            Covers::Yes
        } else {
            Covers::No
        }
    }
}

enum Covers<'a> {
    Yes,
    No,
    /// If this name resolves to the destination.
    Name(&'a str),
}

/// Names are compared as the name service does (RFC 4343), with or without the root's dot.
fn same_name(filter: &[u8], name: &str) -> bool {
    let filter = filter.strip_suffix(b".").unwrap_or(filter);
    filter.eq_ignore_ascii_case(name.trim_end_matches('.').as_bytes())
}
