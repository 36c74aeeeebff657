//! Socket addresses as programs pass them: bytes of `struct sockaddr_*`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use rustix::io::Errno;

use crate::{
    call::{Outcome, Plan},
    tracee::Tracee,
};

/// `struct sockaddr_storage`; more is EINVAL in the kernel.
const LONGEST: u64 = 128;

/// An address that we act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// IPv4 or IPv6, as given: a mapped address stays IPv6.
    Inet(SocketAddr),
    /// A path, or a name that begins with NUL.
    Unix(Vec<u8>),
}

/// Reads an address of the caller. `None`: another family or no valid address; the kernel says
/// what is wrong with it.
pub(super) fn read(tracee: &Tracee, address: u64, length: u64) -> Option<Address> {
    let length = u64::from(length as u32);
    if !(2..=LONGEST).contains(&length) {
        return None;
    }
    let bytes = tracee.read_vec(address, length as usize).ok()?;
    parse(&bytes)
}

/// Reads the bytes of a `sockaddr`.
pub(super) fn parse(bytes: &[u8]) -> Option<Address> {
    let family = i32::from(u16::from_ne_bytes(take(bytes, 0)?));
    match family {
        libc::AF_INET => {
            let port = u16::from_be_bytes(take(bytes, 2)?);
            let ip = Ipv4Addr::from(take::<4>(bytes, 4)?);
            // The kernel wants the whole structure, padding included (inet(4): EINVAL).
            (bytes.len() >= 16).then_some(Address::Inet(SocketAddr::new(ip.into(), port)))
        }
        libc::AF_INET6 => {
            let port = u16::from_be_bytes(take(bytes, 2)?);
            let flow = u32::from_ne_bytes(take(bytes, 4)?);
            let ip = Ipv6Addr::from(take::<16>(bytes, 8)?);
            // RFC 2133 programs leave the scope out (SIN6_LEN_RFC2133).
            let scope = take(bytes, 24).map_or(0, u32::from_ne_bytes);
            Some(Address::Inet(
                SocketAddrV6::new(ip, port, flow, scope).into(),
            ))
        }
        libc::AF_UNIX => {
            let name = &bytes[2..];
            match name.first() {
                // No name at all: autobind.
                None => None,
                Some(0) => Some(Address::Unix(name.to_vec())),
                Some(_) => {
                    let end = name
                        .iter()
                        .position(|byte| *byte == 0)
                        .unwrap_or(name.len());
                    Some(Address::Unix(name[..end].to_vec()))
                }
            }
        }
        _ => None,
    }
}

/// The bytes of an address for a socket of this family: an IPv6 socket sees IPv4 as mapped.
pub(super) fn bytes_of(address: SocketAddr, ipv6_socket: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(28);
    match (address, ipv6_socket) {
        (SocketAddr::V4(v4), false) => {
            bytes.extend((libc::AF_INET as u16).to_ne_bytes());
            bytes.extend(v4.port().to_be_bytes());
            bytes.extend(v4.ip().octets());
            bytes.extend([0; 8]);
        }
        (address, _) => {
            let (ip, flow, scope) = match address {
                SocketAddr::V4(v4) => (v4.ip().to_ipv6_mapped(), 0, 0),
                SocketAddr::V6(v6) => (*v6.ip(), v6.flowinfo(), v6.scope_id()),
            };
            bytes.extend((libc::AF_INET6 as u16).to_ne_bytes());
            bytes.extend(address.port().to_be_bytes());
            bytes.extend(flow.to_ne_bytes());
            bytes.extend(ip.octets());
            bytes.extend(scope.to_ne_bytes());
        }
    }
    bytes
}

/// The bytes of a Unix address: the path with its NUL, or the abstract name.
pub(super) fn unix_bytes(name: &[u8]) -> Vec<u8> {
    let mut bytes = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
    bytes.extend(name);
    if name.first().is_some_and(|byte| *byte != 0) {
        bytes.push(0);
    }
    bytes
}

/// Where a call wants an address written: the buffer, and its length in and out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    address: u64,
    length_at: u64,
    length: usize,
}

impl Room {
    /// Reads the length as the kernel does (`move_addr_to_user`): negative is EINVAL.
    pub(super) fn read(tracee: &Tracee, address: u64, length_at: u64) -> Result<Room, Errno> {
        let length = i32::from_ne_bytes(tracee.read_array(length_at)?);
        Room::of(address, length_at, length)
    }

    /// Of a length that was read already.
    pub(super) fn of(address: u64, length_at: u64, length: i32) -> Result<Room, Errno> {
        let length = usize::try_from(length).map_err(|_| Errno::INVAL)?;
        Ok(Room {
            address,
            length_at,
            length,
        })
    }

    /// Writes what fits of an address, and how long it is.
    pub(super) fn fill(self, outcome: Outcome, mut bytes: Vec<u8>) -> Outcome {
        let length = (bytes.len() as i32).to_ne_bytes().to_vec();
        bytes.truncate(self.length);
        let outcome = if bytes.is_empty() {
            outcome
        } else {
            outcome.write(self.address, bytes)
        };
        outcome.write(self.length_at, length)
    }
}

/// A plan that fails with an errno.
pub(super) fn fails(errno: Errno) -> Plan {
    Plan::Done(Outcome::errno(errno.raw_os_error()))
}

/// Whether nothing but this machine can be meant.
pub(super) fn is_this_host(address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    ip.is_loopback() || ip.is_unspecified()
}

/// IPv4-mapped addresses as IPv4.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), address.port()),
        IpAddr::V6(_) => address,
    }
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_there_and_back() {
        for (text, ipv6) in [
            ("10.1.2.3:80", false),
            ("[fd00::1%2]:443", true),
            ("[::ffff:1.2.3.4]:5", true),
        ] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(
                parse(&bytes_of(address, ipv6)),
                Some(Address::Inet(address))
            );
        }
        let seen = parse(&bytes_of("1.2.3.4:5".parse().unwrap(), true));
        assert_eq!(
            seen,
            Some(Address::Inet("[::ffff:1.2.3.4]:5".parse().unwrap()))
        );
    }

    #[test]
    fn unix_names_end_at_a_nul_unless_they_begin_with_one() {
        let padded = [unix_bytes(b"/run/x"), vec![0; 90]].concat();
        assert_eq!(parse(&padded), Some(Address::Unix(b"/run/x".to_vec())));
        assert_eq!(
            parse(&unix_bytes(b"\0ab\0c")),
            Some(Address::Unix(b"\0ab\0c".to_vec()))
        );
        assert_eq!(parse(&unix_bytes(b"")), None);
    }

    #[test]
    fn short_or_foreign_addresses_are_left_to_the_kernel() {
        let v4 = bytes_of("1.2.3.4:5".parse().unwrap(), false);
        assert_eq!(parse(&v4[..8]), None);
        assert_eq!(parse(&[0, 0]), None);
        assert_eq!(parse(&[16, 0, 0, 0, 0, 0]), None);
    }
}
