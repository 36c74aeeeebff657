//! Control calls: how a supervised program talks to its supervisor without a socket.
//!
//! A `readlinkat(2)` with an impossible descriptor and a null path fails with `EFAULT` wherever
//! nobody supervises; our supervisor knows it by its arguments and answers. It works under any
//! user id, root directory or namespace, since the kernel carries it.

use crate::{
    environment::Token,
    sys::{self, Errno},
};

/// First argument of every control call.
pub const DESCRIPTOR: i32 = -0x4d52_7244;

/// The buffer, one byte long, of a `sendto(2)` or `recvfrom(2)` that asks about its address only.
///
/// It lies in the kernel's half, so where nobody supervises, and where the supervisor has nothing
/// to say, the kernel answers `EFAULT` before it looks at the socket.
pub const ADDRESS_ONLY: u64 = DESCRIPTOR as u64;

/// The longest address that is asked about: `struct sockaddr_in6`.
pub const LONGEST_ADDRESS: usize = 28;

/// Answer to [`Request::Probe`]: this, plus the version of the control calls.
pub const SUPERVISED: u64 = 0x4d52_0001;

/// What is asked, in the third argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Request {
    /// Is there a supervisor? Answered by [`SUPERVISED`].
    Probe = 1,
    /// Give me the shared table ([`crate::table`]): a descriptor.
    Table = 2,
    /// Give me the launch's changes to the environment ([`crate::environment`]): a descriptor.
    /// See [`environment`].
    Environment = 3,
}

impl Request {
    /// Recognises a control call by its arguments.
    pub fn of_call(nr: i64, args: &[u64; 6]) -> Option<Request> {
        if nr != libc::SYS_readlinkat || args[0] as i32 != DESCRIPTOR || args[1] != 0 {
            return None;
        }
        [Request::Probe, Request::Table, Request::Environment]
            .into_iter()
            .find(|request| *request as u64 == args[2])
    }

    /// Asks the supervisor.
    pub fn send(self) -> Result<u64, Errno> {
        self.send_with(0)
    }

    fn send_with(self, argument: u64) -> Result<u64, Errno> {
        let args = [DESCRIPTOR as u64, 0, self as u64, 1, argument, 0];
        // SAFETY: fails with EFAULT or EBADF unless it is answered, in which case no memory of
        // ours is touched either.
        unsafe { sys::call(libc::SYS_readlinkat, args) }
    }
}

/// Asks for the changes to the environment of the launch that this token is of. `EPERM`: the
/// supervisor's session is another's.
pub fn environment(token: &Token) -> Result<i32, Errno> {
    loop {
        // A signal that comes before the supervisor has the question ends it.
        match Request::Environment.send_with(token.0.as_ptr() as u64) {
            Err(Errno(libc::EINTR)) => {}
            answer => return answer.map(|fd| fd as i32),
        }
    }
}

/// Asks which address a datagram from this socket must be sent to instead of `address`, of which
/// `len` bytes count; they are replaced, and the new length returned. `None`: to that very one.
pub fn destination(
    socket: i32,
    address: &mut [u8; LONGEST_ADDRESS],
    len: usize,
    flags: i32,
) -> Result<Option<usize>, Errno> {
    let len = len.min(LONGEST_ADDRESS) as u64;
    let flags = u64::from(flags as u32);
    let to = address.as_mut_ptr() as u64;
    let args = [socket as u64, ADDRESS_ONLY, 1, flags, to, len];
    // SAFETY: fails with EFAULT unless it is answered; then at most an address is written to one.
    answered(|| unsafe { sys::call(libc::SYS_sendto, args) })
}

/// Asks who is behind the source `address` of a datagram; as [`destination`].
pub fn source(address: &mut [u8; LONGEST_ADDRESS], len: usize) -> Result<Option<usize>, Errno> {
    let mut len = len.min(LONGEST_ADDRESS) as libc::socklen_t;
    let from = address.as_mut_ptr() as u64;
    let len = &raw mut len as u64;
    let args = [DESCRIPTOR as u64, ADDRESS_ONLY, 1, 0, from, len];
    // SAFETY: fails with EFAULT unless it is answered; then an address is written to one.
    answered(|| unsafe { sys::call(libc::SYS_recvfrom, args) })
}

/// A signal that comes before the supervisor has the question ends it with EINTR; nothing was
/// done yet, and the call that the program made cannot fail so here.
fn answered(mut ask: impl FnMut() -> Result<u64, Errno>) -> Result<Option<usize>, Errno> {
    loop {
        match ask() {
            Err(Errno(libc::EINTR)) => {}
            Err(Errno(libc::EFAULT)) => return Ok(None),
            answer => return answer.map(|len| Some((len as usize).min(LONGEST_ADDRESS))),
        }
    }
}

/// Whether the calling thread runs under a supervisor of ours.
pub fn is_supervised() -> bool {
    Request::Probe.send() == Ok(SUPERVISED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_answers_without_a_supervisor() {
        assert!(!is_supervised());
        assert_eq!(Request::Table.send(), Err(Errno(libc::EFAULT)));
    }

    #[test]
    fn an_address_stays_what_it_is_without_a_supervisor() {
        let mut address = [2; LONGEST_ADDRESS];
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&socket);
        assert_eq!(destination(fd, &mut address, 16, 0), Ok(None));
        assert_eq!(source(&mut address, 16), Ok(None));
        assert_eq!(address, [2; LONGEST_ADDRESS]);
    }

    #[test]
    fn requests_are_known_by_their_arguments() {
        let args = |fd: i32, path, request| [fd as u64, path, request, 1, 0, 0];
        let known = Request::of_call(libc::SYS_readlinkat, &args(DESCRIPTOR, 0, 2));
        assert_eq!(known, Some(Request::Table));
        assert_eq!(
            Request::of_call(libc::SYS_readlinkat, &args(DESCRIPTOR, 1, 2)),
            None
        );
        assert_eq!(Request::of_call(libc::SYS_readlinkat, &args(3, 0, 2)), None);
        assert_eq!(
            Request::of_call(libc::SYS_openat, &args(DESCRIPTOR, 0, 2)),
            None
        );
    }
}
