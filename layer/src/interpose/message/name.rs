//! A message's address: what the program gave, and what it is exchanged for.

use mirrord_filter::{
    Errno,
    control::{self, LONGEST_ADDRESS},
};

use libc::{msghdr, sockaddr_in, sockaddr_in6};

/// An address of an IP socket, as bytes of its `struct sockaddr_*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct Name {
    bytes: [u8; LONGEST_ADDRESS],
    len: usize,
}

/// The source of the datagram before, and who was behind it.
pub type Last = Option<(Name, Option<Name>)>;

/// The destination that a message names, if it is one of IP.
///
/// # Safety
/// As sendmsg(2).
pub unsafe fn of(message: *const msghdr) -> Option<Name> {
    // SAFETY: the caller's promise; libc's own functions read it too (musl).
    let (name, len) = unsafe {
        let message = message.as_ref()?;
        (message.msg_name.cast::<u8>(), message.msg_namelen as usize)
    };
    // SAFETY: `len` bytes of a name, by the caller's promise.
    unsafe { Name::read(name, len) }
}

/// How many bytes a message has for a source.
///
/// # Safety
/// As recvmsg(2).
pub unsafe fn room(message: *const msghdr) -> usize {
    // SAFETY: the caller's promise.
    let message = unsafe { message.as_ref() }.filter(|message| !message.msg_name.is_null());
    message.map_or(0, |message| message.msg_namelen as usize)
}

/// Exchanges the source of a received message for the peer behind it.
///
/// # Safety
/// The message was just received, with this much room for its name.
pub unsafe fn reveal(message: *mut msghdr, room: usize, last: &mut Last) {
    // SAFETY: the caller's promise.
    let message = unsafe { &mut *message };
    let to = message.msg_name.cast::<u8>();
    // The whole length is told even if less fitted (recv(2)).
    let whole = message.msg_namelen as usize;
    // SAFETY: the kernel wrote that much.
    let Some(seen) = (unsafe { Name::read(to, whole.min(room)) }) else {
        return;
    };
    if !seen.is_loopback() {
        return;
    }
    let peer = match *last {
        Some((before, peer)) if before == seen => peer,
        _ => seen.peer(),
    };
    *last = Some((seen, peer));
    if let Some(peer) = peer {
        let len = peer.len.min(room);
        // SAFETY: there is that much room.
        unsafe { std::ptr::copy_nonoverlapping(peer.bytes.as_ptr(), to, len) };
        message.msg_namelen = peer.len as _;
    }
}

impl Name {
    /// Reads an address; `None` for other families, and for less than port and address.
    ///
    /// # Safety
    /// `name` is null or points to `len` bytes.
    unsafe fn read(name: *const u8, len: usize) -> Option<Name> {
        if name.is_null() || len < 8 {
            return None;
        }
        let mut bytes = [0; LONGEST_ADDRESS];
        // SAFETY: at least two of `len` bytes.
        let family = i32::from(unsafe { name.cast::<u16>().read_unaligned() });
        let (least, most) = match family {
            libc::AF_INET => (8, size_of::<sockaddr_in>()),
            // Without the scope it is the one of RFC 2133.
            libc::AF_INET6 => (24, size_of::<sockaddr_in6>()),
            _ => return None,
        };
        let len = len.min(most);
        if len < least {
            return None;
        }
        // SAFETY: `len` bytes, of which there are enough.
        unsafe { std::ptr::copy_nonoverlapping(name, bytes.as_mut_ptr(), len) };
        Some(Name { bytes, len })
    }

    /// Whether it may be a relay's: those listen on loopback.
    pub fn is_loopback(&self) -> bool {
        let family = u16::from_ne_bytes([self.bytes[0], self.bytes[1]]);
        if i32::from(family) == libc::AF_INET {
            return self.bytes[4] == 127;
        }
        const ONE: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        const MAPPED: [u8; 13] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127];
        let address = &self.bytes[8..24];
        address == ONE || address.starts_with(&MAPPED)
    }

    /// Becomes the address to send to instead; false when that is itself.
    pub fn turn_to_relay(&mut self, fd: i32, flags: i32) -> Result<bool, Errno> {
        let relay = control::destination(fd, &mut self.bytes, self.len, flags)?;
        self.len = relay.unwrap_or(self.len);
        Ok(relay.is_some())
    }

    /// Who is behind it, if it is a relay.
    fn peer(&self) -> Option<Name> {
        let mut bytes = self.bytes;
        // What the program has no room for is zero here, and does not matter.
        let whole = if self.len > size_of::<sockaddr_in>() {
            size_of::<sockaddr_in6>()
        } else {
            size_of::<sockaddr_in>()
        };
        let len = control::source(&mut bytes, whole).ok().flatten()?;
        // A number only, for the kernel has no other way to return it.
        Some(Name { bytes, len })
    }

    /// Makes it the destination of a message. It must live as long.
    pub fn put_into(&mut self, message: &mut msghdr) {
        message.msg_name = self.bytes.as_mut_ptr().cast();
        message.msg_namelen = self.len as _;
    }
}
