//! The control messages of a datagram that goes to a relay: see [`mirrord_filter::segment`].

use libc::msghdr;
use mirrord_filter::segment::{self, LEN};

/// One control message, or none.
#[repr(C, align(8))]
pub struct SegmentOnly {
    bytes: [u8; LEN],
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
        let size = segment::size(control);
        SegmentOnly {
            bytes: size.map_or([0; LEN], segment::message),
            present: size.is_some(),
        }
    }

    /// Replaces the message's control messages. It must live as long.
    pub fn put_into(&self, message: &mut msghdr) {
        message.msg_control = if self.present {
            self.bytes.as_ptr().cast_mut().cast()
        } else {
            std::ptr::null_mut()
        };
        message.msg_controllen = if self.present { LEN as _ } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_the_size_alone() {
        let control = [[0xee; LEN], segment::message(9)];
        let mut control = control.concat();
        // The first is of another level: the TTL.
        control[..16].copy_from_slice(&segment::message(9)[..16]);
        control[8..12].copy_from_slice(&libc::IPPROTO_IP.to_ne_bytes());
        // SAFETY: zeros are a valid message.
        let mut message: msghdr = unsafe { std::mem::zeroed() };
        message.msg_control = control.as_ptr().cast_mut().cast();
        message.msg_controllen = control.len();
        // SAFETY: the control messages are well formed and live.
        let only = unsafe { SegmentOnly::of(&message) };
        only.put_into(&mut message);
        assert_eq!(message.msg_controllen, LEN);
        // SAFETY: `only` lives.
        let sent = unsafe { std::slice::from_raw_parts(message.msg_control.cast::<u8>(), LEN) };
        assert_eq!(sent, &segment::message(9));
    }
}
