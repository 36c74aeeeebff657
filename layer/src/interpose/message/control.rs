//! The control messages of a datagram that goes to a relay.
//!
//! Most say how it shall leave this machine: from which of its addresses (`IP_PKTINFO`), with
//! which TTL, over which route. A relay is on loopback and takes datagrams from one address only,
//! so these are left out. The size of segments (`UDP_SEGMENT`) must stay, for without it many
//! datagrams would become one.

use libc::msghdr;

/// SOL_UDP and UDP_SEGMENT (udp(7)).
const SEGMENT: [i32; 2] = [17, 103];

/// `struct cmsghdr` as the kernel sees it; musl's `cmsg_len` is its lower half.
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    len: u32,
    len_high: u32,
    kind: [i32; 2],
}

const HEADER: usize = size_of::<Header>();

/// One control message, or none.
#[repr(C, align(8))]
pub struct SegmentOnly {
    header: Header,
    size: u16,
    padding: [u8; 6],
    present: bool,
}

impl SegmentOnly {
    /// Looks for one in a message.
    ///
    /// # Safety
    /// The message's control messages are as sendmsg(2) wants them.
    pub unsafe fn of(message: &msghdr) -> SegmentOnly {
        // On musl the length is an int, with padding that need not be zero.
        let len = message.msg_controllen as u32 as usize;
        let control: &[u8] = if message.msg_control.is_null() || len > isize::MAX as usize {
            &[]
        } else {
            // SAFETY: the caller's promise.
            unsafe { std::slice::from_raw_parts(message.msg_control.cast(), len) }
        };
        let size = segment_size(control);
        SegmentOnly {
            header: Header {
                len: (HEADER + size_of::<u16>()) as u32,
                len_high: 0,
                kind: SEGMENT,
            },
            size: size.unwrap_or(0),
            padding: [0; 6],
            present: size.is_some(),
        }
    }

    /// Replaces the message's control messages. It must live as long.
    pub fn put_into(&self, message: &mut msghdr) {
        message.msg_control = if self.present {
            (&raw const *self).cast_mut().cast()
        } else {
            std::ptr::null_mut()
        };
        let len = HEADER + size_of_val(&self.size) + size_of_val(&self.padding);
        message.msg_controllen = if self.present { len as _ } else { 0 };
    }
}

fn segment_size(control: &[u8]) -> Option<u16> {
    let mut rest = control;
    while let Some(header) = rest.first_chunk::<HEADER>() {
        let int = |at: usize| {
            let bytes = header[at..].first_chunk().copied().unwrap_or_default();
            u32::from_ne_bytes(bytes)
        };
        let len = int(0) as usize;
        if len < HEADER {
            return None;
        }
        if [int(8) as i32, int(12) as i32] == SEGMENT {
            return rest[HEADER..]
                .first_chunk()
                .copied()
                .map(u16::from_ne_bytes);
        }
        rest = rest.get(len.next_multiple_of(8)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER + data.len()) as u64).to_ne_bytes().to_vec();
        bytes.extend(level.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0xee);
        bytes
    }

    #[test]
    fn the_segment_size_is_found_among_others_and_nothing_else_is() {
        let source = one(libc::IPPROTO_IP, libc::IP_PKTINFO, &[1; 12]);
        let segment = one(SEGMENT[0], SEGMENT[1], &1200u16.to_ne_bytes());
        assert_eq!(segment_size(&[]), None);
        assert_eq!(segment_size(&source), None);
        assert_eq!(
            segment_size(&[source.clone(), segment].concat()),
            Some(1200)
        );
        // What is cut or impossible is the kernel's to refuse.
        assert_eq!(segment_size(&source[..20]), None);
        assert_eq!(segment_size(&[0; 64]), None);
        assert_eq!(segment_size(&[0xff; 64]), None);
    }

    #[test]
    fn what_is_sent_is_the_size_alone() {
        let control = [
            one(libc::IPPROTO_IP, libc::IP_TTL, &[5, 0, 0, 0]),
            one(SEGMENT[0], SEGMENT[1], &[9, 0]),
        ]
        .concat();
        // SAFETY: zeros are a valid message.
        let mut message: msghdr = unsafe { std::mem::zeroed() };
        message.msg_control = control.as_ptr().cast_mut().cast();
        message.msg_controllen = control.len();
        // SAFETY: the control messages are well formed and live.
        let only = unsafe { SegmentOnly::of(&message) };
        only.put_into(&mut message);
        assert_eq!(message.msg_controllen, 24);
        // SAFETY: `only` lives.
        let sent = unsafe { std::slice::from_raw_parts(message.msg_control.cast::<u8>(), 18) };
        assert_eq!(sent, &one(SEGMENT[0], SEGMENT[1], &[9, 0])[..18]);
    }
}
