//! `struct msghdr` and `struct mmsghdr` as the kernel has them, in the program's memory.

use std::net::SocketAddr;

use rustix::io::Errno;

use super::{
    super::address::{self, Address, Room},
    LONGEST,
};
use crate::{call::Call, memory, tracee::Tracee};

/// Sizes of the two; the second has the length of what was sent or received behind the first.
const ONE: usize = 56;
const MANY: usize = 64;
/// What the calls change in it.
const NAME_LENGTH: u64 = 8;
const CONTROL_LENGTH: u64 = 40;
const FLAGS: u64 = 48;
const LENGTH: u64 = 56;

/// `UIO_MAXIOV`: no more vectors in a message, and no more messages in a call.
const MOST: u64 = 1024;
/// `struct sockaddr_storage`: of a longer name the kernel takes the beginning.
const LONGEST_NAME: i32 = 128;
/// More control messages than any system has memory for (`optmem_max`, socket(7)).
const LONGEST_CONTROL: u64 = 1 << 18;

/// A message's addresses and lengths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    at: u64,
    name: u64,
    name_length: i32,
    vectors: u64,
    vector_count: u64,
    control: u64,
    control_length: u64,
}

impl Header {
    /// The one at this address.
    pub fn read(tracee: &Tracee, at: u64) -> Result<Header, Errno> {
        let bytes: [u8; ONE] = tracee.read_array(at)?;
        Header::parse(at, &bytes).ok_or(Errno::FAULT)
    }

    /// As many of a row as there is memory of; the kernel too begins before it has seen the last.
    pub fn read_many(tracee: &Tracee, at: u64, count: u64) -> Vec<Header> {
        let count = u64::from(count as u32).min(MOST);
        let mut bytes = vec![0; count as usize * MANY];
        let got = memory::read_some(tracee.tid(), at, &mut bytes).unwrap_or(0);
        let places = (0..count).map(|i| at + i * MANY as u64);
        bytes[..got]
            .chunks_exact(MANY)
            .zip(places)
            .filter_map(|(bytes, at)| Header::parse(at, bytes))
            .collect()
    }

    fn parse(at: u64, bytes: &[u8]) -> Option<Header> {
        let word = |i: usize| Some(u64::from_ne_bytes(*bytes.get(i..)?.first_chunk()?));
        Some(Header {
            at,
            name: word(0)?,
            name_length: word(NAME_LENGTH as usize)? as i32,
            vectors: word(16)?,
            vector_count: word(24)?,
            control: word(32)?,
            control_length: word(CONTROL_LENGTH as usize)?,
        })
    }

    /// Whether there is an address, or room for one.
    pub fn is_named(&self) -> bool {
        self.name != 0
    }

    /// The IP address that it names.
    pub fn destination(&self, tracee: &Tracee) -> Option<SocketAddr> {
        match address::parse(&self.name(tracee).ok()?)? {
            Address::Inet(to) => Some(to),
            Address::Unix(_) => None,
        }
    }

    /// The bytes of its address.
    pub fn name(&self, tracee: &Tracee) -> Result<Vec<u8>, Errno> {
        if !self.is_named() {
            return Ok(Vec::new());
        }
        let length = self.name_length.min(LONGEST_NAME);
        let length = usize::try_from(length).map_err(|_| Errno::INVAL)?;
        tracee.read_vec(self.name, length)
    }

    /// Where it wants the source written.
    pub fn room(&self) -> Result<Option<Room>, Errno> {
        let room = || Room::of(self.name, self.at + NAME_LENGTH, self.name_length);
        self.is_named().then(room).transpose()
    }

    /// Its parts.
    pub fn vectors(&self, tracee: &Tracee) -> Result<Vec<(u64, usize)>, Errno> {
        if self.vector_count > MOST {
            return Err(Errno::MSGSIZE);
        }
        let bytes = tracee.read_vec(self.vectors, self.vector_count as usize * 16)?;
        let words = bytes.as_chunks::<8>().0.as_chunks::<2>().0;
        words
            .iter()
            .map(|[base, length]| {
                let length = i64::from_ne_bytes(*length);
                let length = usize::try_from(length).map_err(|_| Errno::INVAL)?;
                Ok((u64::from_ne_bytes(*base), length))
            })
            .collect()
    }

    /// What its parts hold, in a row.
    pub fn payload(&self, tracee: &Tracee) -> Result<Vec<u8>, Errno> {
        let vectors = self.vectors(tracee)?;
        let lengths = vectors.iter().map(|(_, length)| *length);
        let length = lengths.fold(0, usize::saturating_add);
        if length > LONGEST {
            return Err(Errno::MSGSIZE);
        }
        let mut payload = vec![0; length];
        memory::read_scattered(tracee.tid(), &vectors, &mut payload)?;
        Ok(payload)
    }

    /// Its control messages.
    pub fn control(&self, tracee: &Tracee) -> Result<Vec<u8>, Errno> {
        let (at, length) = self.control_room();
        if length > LONGEST_CONTROL {
            return Err(Errno::NOBUFS);
        }
        tracee.read_vec(at, length as usize)
    }

    /// Where control messages are, or go.
    pub fn control_room(&self) -> (u64, u64) {
        match self.control {
            0 => (0, 0),
            at => (at, self.control_length),
        }
    }

    /// What the kernel writes into it after receiving.
    pub fn received(&self, control: usize, flags: i32) -> [(u64, Vec<u8>); 2] {
        let control = (control as u64).to_ne_bytes().to_vec();
        let flags = flags.to_ne_bytes().to_vec();
        [
            (self.at + CONTROL_LENGTH, control),
            (self.at + FLAGS, flags),
        ]
    }

    /// Where the length of one of many is written.
    pub fn length_at(&self) -> u64 {
        self.at + LENGTH
    }
}

/// The IP addresses that a call with messages names.
pub(in super::super) fn destinations(call: &Call, tracee: &Tracee) -> Vec<SocketAddr> {
    let [_, at, count, ..] = call.args;
    let headers = match call.nr {
        libc::SYS_sendmsg => Header::read(tracee, at).into_iter().collect(),
        libc::SYS_sendmmsg => Header::read_many(tracee, at, count),
        _ => Vec::new(),
    };
    let mut found: Vec<SocketAddr> = headers
        .iter()
        .filter_map(|header| header.destination(tracee))
        .collect();
    found.dedup();
    found
}
