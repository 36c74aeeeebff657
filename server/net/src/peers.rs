//! Which pod addresses stand behind the loopback addresses of relayed sockets.
//!
//! Every relayed socket of the program is really connected over loopback. The session and the
//! supervisor share one [`PeerTable`] in a memfd, indexed by a loopback port, so that `accept`,
//! `getpeername` and `getsockname` are answered without asking anybody. Whoever makes the
//! connection enters it *before* the program can see it; the session removes it when its relay
//! ends. Keys are addresses and not descriptors: `dup`, `fork` and passed descriptors just work.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering, fence};

use mirrord_protocol::control::AddressPair;
use mirrord_protocol::local::Ticket;
use rustix::fs::SeekFrom;

mod shared;
use shared::Shared;

/// What a loopback address in the table belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The session's end of a connection that it made to the program's listener: `client` is the
    /// real client, `server` the address in the pod that it called.
    Incoming,
    /// The program's end of an outgoing TCP connection: `client` is the pod's end, `server` the
    /// peer in the pod's network.
    Tcp,
    /// The program's end of an outgoing UDP socket: `client` is the pod's end, `server` the peer
    /// it was connected to (unspecified when it was not).
    UdpProgram,
    /// The session's end of a UDP relay: `server` is the peer that stands behind it. `client` is
    /// the pod's end where all users of the relay share one address there (the port is their own).
    UdpRelay,
    /// A local address the program was bound to in place of the one that it asked for: `client`
    /// is the one it asked for.
    Bound,
    /// The same for a UDP socket.
    BoundUdp,
    /// The program's end of a UDP socket that may use a relay to a name server: `server` is that,
    /// and the tag is the socket's `SO_COOKIE`.
    NameClient,
}

const KINDS: usize = 7;
const PORTS: usize = 1 << 16;
const WORDS: usize = 8;
/// Two families for each kind: `127.0.0.1:P` and `[::1]:P` can both be in use.
const ENTRIES: usize = KINDS * 2 * PORTS;
/// Virtual size; only touched pages are ever allocated (64 ports a page).
const SIZE: usize = ENTRIES * WORDS * size_of::<u64>();

/// The table, mapped. Cheap to share by reference between threads; other processes map the same
/// descriptor with [`PeerTable::from_fd`].
pub struct PeerTable {
    shared: Shared,
}

/// The tag of an outgoing relay's entries. Its low half is the port of the session's end, so that
/// an entry left behind is not taken for a later socket on the same port that we never touched.
pub fn relay_tag(ticket: Ticket, via: SocketAddr) -> u64 {
    ticket << 16 | u64::from(via.port())
}

/// Whether a tag made by [`relay_tag`] can belong to a socket whose peer is `via`.
pub fn tag_fits(tag: u64, via: SocketAddr) -> bool {
    tag & 0xffff == u64::from(via.port())
}

/// One entry is a sequence word (odd while it is being written) and seven words of content.
type Entry = [AtomicU64; WORDS];

impl PeerTable {
    /// Makes an empty table.
    pub fn create() -> std::io::Result<Self> {
        Ok(PeerTable {
            shared: Shared::create(SIZE)?,
        })
    }

    /// Maps a table that another process made.
    pub fn from_fd(fd: OwnedFd) -> std::io::Result<Self> {
        Ok(PeerTable {
            shared: Shared::map(fd, SIZE)?,
        })
    }

    /// Enters an incoming connection under the session's end of it, before that connects.
    pub fn announce(&self, loopback: SocketAddr, addresses: AddressPair) {
        self.enter(Kind::Incoming, loopback, addresses, 0);
    }

    /// The incoming connection whose session end is `loopback`.
    pub fn lookup(&self, loopback: SocketAddr) -> Option<AddressPair> {
        self.find(Kind::Incoming, loopback)
    }

    /// Removes an incoming connection.
    pub fn clear(&self, loopback: SocketAddr) {
        self.remove(Kind::Incoming, loopback, 0);
    }

    /// Enters `addresses` under `loopback`, in place of what was there. The `tag` names the
    /// entry for [`PeerTable::remove`]: a port may be in use again before its last user's relay
    /// has ended.
    pub fn enter(&self, kind: Kind, loopback: SocketAddr, addresses: AddressPair, tag: u64) {
        let client = words_of(addresses.client);
        let server = words_of(addresses.server);
        self.write(
            kind,
            loopback,
            |_| true,
            [
                client[0], client[1], client[2], server[0], server[1], server[2], tag,
            ],
        );
    }

    /// What stands behind `loopback`.
    pub fn find(&self, kind: Kind, loopback: SocketAddr) -> Option<AddressPair> {
        self.find_tagged(kind, loopback)
            .map(|(addresses, _)| addresses)
    }

    /// What stands behind `loopback`, and its tag.
    pub fn find_tagged(&self, kind: Kind, loopback: SocketAddr) -> Option<(AddressPair, u64)> {
        content(&read(self.entry(kind, loopback))?)
    }

    /// Removes the entry of `loopback` if it still is the one with this tag.
    pub fn remove(&self, kind: Kind, loopback: SocketAddr, tag: u64) {
        self.write(kind, loopback, |words| words[6] == tag, [0; WORDS - 1]);
    }

    /// All entries of a kind, with their tags; touches no memory that holds none.
    pub fn all(&self, kind: Kind) -> std::io::Result<Vec<(AddressPair, u64)>> {
        let size = (WORDS * size_of::<u64>()) as u64;
        let range = |index: usize| (index * 2 * PORTS) as u64 * size;
        let (mut at, end) = (range(kind as usize), range(kind as usize + 1));
        let mut found = Vec::new();
        while at < end {
            let data = match rustix::fs::seek(self, SeekFrom::Data(at)) {
                Ok(data) if data < end => data,
                // Holes to the end (lseek(2): ENXIO).
                Ok(_) | Err(rustix::io::Errno::NXIO) => break,
                Err(errno) => return Err(errno.into()),
            };
            at = rustix::fs::seek(self, SeekFrom::Hole(data))?.min(end);
            for index in data / size..at / size {
                let words = read(self.shared.entry(index as usize));
                found.extend(words.and_then(|words| content(&words)));
            }
        }
        Ok(found)
    }

    fn entry(&self, kind: Kind, loopback: SocketAddr) -> &Entry {
        let family = usize::from(loopback.ip().to_canonical().is_ipv6());
        let index = ((kind as usize * 2) + family) * PORTS + usize::from(loopback.port());
        self.shared.entry(index)
    }

    fn write(
        &self,
        kind: Kind,
        loopback: SocketAddr,
        only_if: impl Fn(&[u64; WORDS - 1]) -> bool,
        words: [u64; WORDS - 1],
    ) {
        let entry = self.entry(kind, loopback);
        let sequence = lock(entry);
        let now: [u64; WORDS - 1] = std::array::from_fn(|i| entry[i + 1].load(Ordering::Relaxed));
        if only_if(&now) {
            for (slot, word) in entry[1..].iter().zip(words) {
                slot.store(word, Ordering::Relaxed);
            }
        }
        entry[0].store(sequence.wrapping_add(2), Ordering::Release);
    }
}

impl AsFd for PeerTable {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.fd()
    }
}

/// Takes the entry for writing and returns its even sequence. A writer that died in between
/// leaves an odd one behind; after a while (a write takes nanoseconds) it is taken over.
fn lock(entry: &Entry) -> u64 {
    let mut tries = 0u32;
    loop {
        let sequence = entry[0].load(Ordering::Relaxed);
        let abandoned = tries > 100_000;
        if (sequence.is_multiple_of(2) || abandoned)
            && entry[0]
                .compare_exchange(sequence, sequence | 1, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        {
            fence(Ordering::Release);
            return sequence & !1;
        }
        tries += 1;
        std::hint::spin_loop();
        if tries.is_multiple_of(100) {
            std::thread::yield_now();
        }
    }
}

/// A consistent copy of an entry's words, or `None` when a dead writer left it half written.
fn read(entry: &Entry) -> Option<[u64; WORDS - 1]> {
    for _ in 0..100_000 {
        let before = entry[0].load(Ordering::Acquire);
        if before.is_multiple_of(2) {
            let words = std::array::from_fn(|i| entry[i + 1].load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if entry[0].load(Ordering::Relaxed) == before {
                return Some(words);
            }
        }
        std::hint::spin_loop();
    }
    None
}

/// What the words of an entry say, and its tag.
fn content(words: &[u64; WORDS - 1]) -> Option<(AddressPair, u64)> {
    let client = address_of([words[0], words[1], words[2]])?;
    let server = address_of([words[3], words[4], words[5]])?;
    Some((AddressPair { client, server }, words[6]))
}

/// The address in three words: IPv6 bits (mapped for IPv4) and family, scope, port.
fn words_of(address: SocketAddr) -> [u64; 3] {
    let (bits, family, scope) = match address {
        SocketAddr::V4(v4) => (v4.ip().to_ipv6_mapped().to_bits(), 4u64, 0),
        SocketAddr::V6(v6) => (v6.ip().to_bits(), 6, v6.scope_id()),
    };
    let rest = family << 48 | u64::from(address.port()) << 32 | u64::from(scope);
    [(bits >> 64) as u64, bits as u64, rest]
}

fn address_of(words: [u64; 3]) -> Option<SocketAddr> {
    let ip = Ipv6Addr::from_bits(u128::from(words[0]) << 64 | u128::from(words[1]));
    let port = (words[2] >> 32) as u16;
    match (words[2] >> 48) as u16 {
        4 => Some(SocketAddr::new(IpAddr::V4(ip.to_ipv4_mapped()?), port)),
        6 => Some(SocketAddrV6::new(ip, port, 0, words[2] as u32).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(client: &str, server: &str) -> AddressPair {
        AddressPair {
            client: client.parse().unwrap(),
            server: server.parse().unwrap(),
        }
    }

    #[test]
    fn another_mapping_sees_what_was_announced_and_families_do_not_mix() {
        let table = PeerTable::create().unwrap();
        let other = PeerTable::from_fd(table.as_fd().try_clone_to_owned().unwrap()).unwrap();
        let v4 = "127.0.0.1:40000".parse().unwrap();
        let v6 = "[::1]:40000".parse().unwrap();
        let real = pair("10.1.2.3:5555", "[fd00::7%3]:80");
        table.announce(v4, real);
        assert_eq!(other.lookup(v4), Some(real));
        assert_eq!(
            other.lookup("[::ffff:127.0.0.1]:40000".parse().unwrap()),
            Some(real)
        );
        assert_eq!(other.lookup(v6), None);
        other.clear(v4);
        assert_eq!(table.lookup(v4), None);
    }

    #[test]
    fn an_old_relay_does_not_remove_the_entry_of_the_ports_next_user() {
        let table = PeerTable::create().unwrap();
        let program = "127.0.0.1:50000".parse().unwrap();
        table.enter(Kind::Tcp, program, pair("10.0.0.1:1", "10.0.0.2:2"), 7);
        let next = pair("10.0.0.1:3", "10.0.0.4:4");
        table.enter(Kind::Tcp, program, next, 8);
        table.remove(Kind::Tcp, program, 7);
        assert_eq!(table.find_tagged(Kind::Tcp, program), Some((next, 8)));
        table.remove(Kind::Tcp, program, 8);
        assert_eq!(table.find(Kind::Tcp, program), None);
    }

    #[test]
    fn readers_never_see_half_an_entry() {
        let table = PeerTable::create().unwrap();
        let port = "127.0.0.1:6".parse().unwrap();
        let a = pair("1.1.1.1:1", "1.1.1.1:1");
        let b = pair("2.2.2.2:2", "2.2.2.2:2");
        std::thread::scope(|scope| {
            for mine in [a, b] {
                let table = &table;
                scope.spawn(move || {
                    for _ in 0..20_000 {
                        table.announce(port, mine);
                    }
                });
            }
            for _ in 0..20_000 {
                if let Some(seen) = table.lookup(port) {
                    assert!(seen == a || seen == b, "{seen:?}");
                }
            }
        });
    }
}
