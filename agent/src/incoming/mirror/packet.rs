//! What a captured packet says: a TCP segment and its addresses, or nothing of interest.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mirrord_protocol::control::AddressPair;

/// One TCP segment from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    /// Sender and receiver.
    pub(super) addresses: AddressPair,
    /// Sequence number of the first byte (of the SYN, when there is one).
    pub(super) sequence: u32,
    /// The bytes.
    pub(super) payload: &'a [u8],
    /// The flags.
    pub(super) flags: Flags,
    /// The capture cut the packet.
    pub(super) cut: bool,
}

/// TCP flags (RFC 9293, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags(pub(super) u8);

impl Flags {
    /// The sender has no more bytes.
    pub(super) fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }
    /// First segment of a connection.
    pub(super) fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }
    /// The connection is torn.
    pub(super) fn rst(self) -> bool {
        self.0 & 0x04 != 0
    }
    /// The acknowledgement counts.
    pub(super) fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }
}

/// Reads a packet from its network header on; `verified` says that the kernel vouches for its
/// checksum. Fragments and broken packets give `None`: the pod's kernel does not take the latter
/// either, and would get them again.
pub(super) fn parse(packet: &[u8], verified: bool) -> Option<Segment<'_>> {
    let ip = match packet.first()? >> 4 {
        4 => Ip::v4(packet)?,
        6 => Ip::v6(packet)?,
        _ => return None,
    };
    let cut = packet.len() < ip.end;
    let tcp = &packet[ip.header..ip.end.min(packet.len())];
    if tcp.len() < 20 {
        return None;
    }
    if !verified && !cut && ip.checksum_of(tcp) != 0xffff {
        return None;
    }
    let header = usize::from(tcp[12] >> 4) * 4;
    Some(Segment {
        addresses: AddressPair {
            client: SocketAddr::new(ip.source, u16_at(tcp, 0)),
            server: SocketAddr::new(ip.destination, u16_at(tcp, 2)),
        },
        sequence: u32::from_be_bytes(tcp[4..8].try_into().ok()?),
        payload: tcp.get(header.max(20)..)?,
        flags: Flags(tcp[13]),
        cut,
    })
}

struct Ip {
    source: IpAddr,
    destination: IpAddr,
    /// Where the TCP header begins, and where the packet ends.
    header: usize,
    end: usize,
}

impl Ip {
    fn v4(packet: &[u8]) -> Option<Ip> {
        let head = packet.get(..20)?;
        let fragment = u16_at(head, 6) & 0x3fff != 0;
        if fragment || i32::from(head[9]) != libc::IPPROTO_TCP {
            return None;
        }
        let address = |at: usize| {
            let octets: [u8; 4] = head[at..at + 4].try_into().expect("four bytes");
            IpAddr::V4(Ipv4Addr::from(octets))
        };
        let header = usize::from(head[0] & 0xf) * 4;
        let end = match usize::from(u16_at(head, 2)) {
            // Larger than 64 KiB (BIG TCP, kernel 6.3): the length does not fit its field.
            0 => packet.len(),
            length => length,
        };
        (header >= 20 && end >= header && packet.len() >= header).then(|| Ip {
            source: address(12),
            destination: address(16),
            header,
            end,
        })
    }

    fn v6(packet: &[u8]) -> Option<Ip> {
        const HEADER: usize = 40;
        let head = packet.get(..HEADER)?;
        let address = |at: usize| {
            let octets: [u8; 16] = head[at..at + 16].try_into().expect("sixteen bytes");
            IpAddr::V6(Ipv6Addr::from(octets))
        };
        let mut end = HEADER + usize::from(u16_at(head, 4));
        let header = match i32::from(head[6]) {
            libc::IPPROTO_TCP => HEADER,
            // A jumbo payload option (BIG TCP, kernel 5.19; RFC 2675), eight bytes before TCP.
            libc::IPPROTO_HOPOPTS => {
                let options = packet.get(HEADER..HEADER + 8)?;
                if i32::from(options[0]) != libc::IPPROTO_TCP || options[1] != 0 {
                    return None;
                }
                if end == HEADER {
                    end = packet.len();
                }
                HEADER + 8
            }
            _ => return None,
        };
        (end >= header && packet.len() >= header).then(|| Ip {
            source: address(8),
            destination: address(24),
            header,
            end,
        })
    }

    /// The sum of the pseudo header and the segment; 0xffff when nothing was damaged (RFC 1071).
    fn checksum_of(&self, tcp: &[u8]) -> u16 {
        let mut sum = libc::IPPROTO_TCP as u64 + tcp.len() as u64;
        for address in [self.source, self.destination] {
            match address {
                IpAddr::V4(v4) => sum += add_words(&v4.octets()),
                IpAddr::V6(v6) => sum += add_words(&v6.octets()),
            }
        }
        sum += add_words(tcp);
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }
}

fn add_words(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(2);
    let last = words.remainder().first().copied().unwrap_or(0);
    words.map(|word| u64::from(u16_at(word, 0))).sum::<u64>() + (u64::from(last) << 8)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SYN from 127.0.0.1:40000 to 127.0.0.1:80 with two bytes, checksum filled in.
    fn syn() -> Vec<u8> {
        let mut packet = vec![
            0x45, 0, 0, 42, 0, 0, 0x40, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1,
        ];
        packet.extend([0x9c, 0x40, 0, 80, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, 2, 1, 0]);
        packet.extend([0, 0, 0, 0, b'h', b'i']);
        let ip = Ip::v4(&packet).unwrap();
        let sum = !ip.checksum_of(&packet[20..]);
        packet[36..38].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    #[test]
    fn a_segment_is_read_and_what_follows_the_packet_is_not() {
        let mut packet = syn();
        packet.extend([0; 6]); // Ethernet's padding
        let segment = parse(&packet, false).unwrap();
        assert_eq!(segment.addresses.client, "127.0.0.1:40000".parse().unwrap());
        assert_eq!(segment.addresses.server.port(), 80);
        assert_eq!((segment.sequence, segment.payload), (7, &b"hi"[..]));
        assert!(segment.flags.syn() && !segment.flags.ack() && !segment.cut);
    }

    #[test]
    fn a_damaged_segment_counts_only_when_the_kernel_vouches_for_it() {
        let mut packet = syn();
        *packet.last_mut().unwrap() ^= 1;
        assert_eq!(parse(&packet, false), None);
        assert_eq!(parse(&packet, true).unwrap().payload, b"hh");
    }

    #[test]
    fn fragments_and_cuts_are_known() {
        let mut packet = syn();
        packet[6] = 0x20;
        assert_eq!(parse(&packet, true), None);
        let packet = syn();
        assert!(parse(&packet[..packet.len() - 1], true).unwrap().cut);
        for size in 0..packet.len() {
            parse(&packet[..size], true);
        }
    }
}
