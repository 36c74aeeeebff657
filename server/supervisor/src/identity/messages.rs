//! What a call with a `struct msghdr` says: its headers, and of those that send also the address
//! and the first bytes.

use std::hash::{Hash, Hasher};

use crate::{call::Call, memory};

/// Sizes of `struct msghdr` and `struct mmsghdr`; the length at the end of the second is the
/// answer's.
const ONE: usize = 56;
const MANY: usize = 64;
/// `UIO_MAXIOV`.
const MOST: u64 = 1024;
/// Of each address, and of each message.
const BYTES: usize = 128;

/// Whether the call is one of these, and then what it says.
pub(super) fn hash(call: &Call, hasher: &mut impl Hasher) -> bool {
    let (size, count) = match call.nr {
        libc::SYS_sendmsg | libc::SYS_recvmsg => (ONE, 1),
        libc::SYS_sendmmsg | libc::SYS_recvmmsg => (MANY, u64::from(call.args[2] as u32)),
        _ => return false,
    };
    let sends = matches!(call.nr, libc::SYS_sendmsg | libc::SYS_sendmmsg);
    let headers = read(call, call.args[1], count.min(MOST) as usize * size);
    for header in headers.chunks_exact(size) {
        header[..ONE].hash(hasher);
        if sends {
            hash_what_is_sent(call, header, hasher);
        }
    }
    true
}

fn hash_what_is_sent(call: &Call, header: &[u8], hasher: &mut impl Hasher) {
    let word = |bytes: &[u8], at: usize| {
        let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk).copied();
        u64::from_ne_bytes(bytes.unwrap_or_default())
    };
    let name_length = word(header, 8) as u32 as usize;
    read(call, word(header, 0), name_length.min(BYTES)).hash(hasher);
    let vectors = word(header, 24).min(MOST) as usize * 16;
    let vectors = read(call, word(header, 16), vectors);
    vectors.hash(hasher);
    let mut left = BYTES;
    for vector in vectors.chunks_exact(16) {
        let length = (word(vector, 8) as usize).min(left);
        read(call, word(vector, 0), length).hash(hasher);
        left -= length;
    }
}

/// As much as is there.
fn read(call: &Call, address: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let got = memory::read_some(call.tid, address, &mut bytes).unwrap_or(0);
    bytes.truncate(got);
    bytes
}
