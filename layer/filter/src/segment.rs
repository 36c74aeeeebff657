//! The control messages of a datagram that goes to a relay.
//!
//! Most say how it shall leave this machine: from which of its addresses (`IP_PKTINFO`), with
//! which TTL, over which route. A relay is on loopback and takes datagrams from one address only,
//! so these are left out. The size of segments (`UDP_SEGMENT`, udp(7)) must stay, for without it
//! many datagrams would become one.

/// SOL_UDP and UDP_SEGMENT.
const SEGMENT: [i32; 2] = [17, 103];

/// `struct cmsghdr` as the kernel sees it: the length in eight bytes, level and type in four each.
/// musl's `cmsg_len` is the lower half of the first.
const HEADER: usize = 16;

/// A control message with the size of segments, padded to the next one's place.
pub const LEN: usize = HEADER + 8;

/// The size of segments, when the control messages name one.
pub fn size(control: &[u8]) -> Option<u16> {
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

/// The control message that says so.
pub fn message(size: u16) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let len = (HEADER + size_of::<u16>()) as u64;
    let parts: [&[u8]; 4] = [
        &len.to_ne_bytes(),
        &SEGMENT[0].to_ne_bytes(),
        &SEGMENT[1].to_ne_bytes(),
        &size.to_ne_bytes(),
    ];
    for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    bytes
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
        assert_eq!(size(&[]), None);
        assert_eq!(size(&source), None);
        assert_eq!(size(&[source.clone(), segment].concat()), Some(1200));
        assert_eq!(size(&message(1200)), Some(1200));
        // What is cut or impossible is the kernel's to refuse.
        assert_eq!(size(&source[..20]), None);
        assert_eq!(size(&[0; 64]), None);
        assert_eq!(size(&[0xff; 64]), None);
    }

    #[test]
    fn the_message_is_what_a_program_would_write() {
        let written = one(SEGMENT[0], SEGMENT[1], &[9, 0]);
        assert_eq!(message(9)[..18], written[..18]);
    }
}
