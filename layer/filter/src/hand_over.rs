//! Joining a session over the supervisor's Unix socket.
//!
//! The order matters: connect, be admitted, install, then give the listener. `connect(2)` is a
//! listed call, and after the filter is on nobody answers it until the listener has arrived; and
//! the filter can never be taken off, so it is put on only when the supervisor will serve it.

use std::mem;

use crate::{
    environment::Token,
    sys::{self, Errno},
};

/// First byte of the request to be admitted; changes with its form.
pub const VERSION: u8 = 1;

/// The request: [`VERSION`], whether there is a token, and the token or zeros.
pub const REQUEST: usize = 2 + Token::LEN;

/// The request of who shows this token, or none.
pub fn request(token: Option<&Token>) -> [u8; REQUEST] {
    let mut request = [0; REQUEST];
    let [version, has_token, bytes @ ..] = &mut request;
    *version = VERSION;
    *has_token = u8::from(token.is_some());
    if let Some(token) = token {
        *bytes = token.0;
    }
    request
}

/// The token that a request shows, if it shows one; `None` when these bytes are no request.
pub fn asked(bytes: &[u8]) -> Option<Option<Token>> {
    match <&[u8; REQUEST]>::try_from(bytes).ok()? {
        [VERSION, 0, ..] => Some(None),
        [VERSION, 1, shown @ ..] => Some(Some(Token(*shown))),
        _ => None,
    }
}

/// What the supervisor answers to the request when the caller may join.
pub const ADMITTED: u8 = b'a';

/// What it answers when the caller may not.
pub const REFUSED: u8 = b'r';

/// What the supervisor answers when it serves the listener.
pub const ACCEPTED: u8 = b'k';

/// In a register that `sendmsg(2)` has no use for: lets the message that carries the listener past
/// the filter, which is on already and which nobody serves before that message has arrived.
pub const GIVEN: u64 = 0x4d52_4c49_5354_454e;

/// So long a client waits for each answer: the supervisor is a process of this machine.
const PATIENCE: libc::timeval = libc::timeval {
    tv_sec: 10,
    tv_usec: 0,
};

/// A connected socket to the supervisor; closed when dropped.
pub struct Supervisor {
    socket: i32,
}

impl Supervisor {
    /// Connects to a supervisor by its socket's path, with a NUL at its end or without. `EACCES`
    /// when another user listens there: whoever supervises a program has it in his hands.
    pub fn connect(path: &[u8]) -> Result<Supervisor, Errno> {
        let path = path.split(|b| *b == 0).next().unwrap_or_default();
        // SAFETY: all zeros is a valid sockaddr_un.
        let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
        address.sun_family = libc::AF_UNIX as u16;
        // One byte stays zero as the end of the path (unix(7)).
        if path.is_empty() || path.len() >= address.sun_path.len() {
            return Err(Errno(libc::ENAMETOOLONG));
        }
        for (to, from) in address.sun_path.iter_mut().zip(path) {
            *to = *from as libc::c_char;
        }
        let kind = (libc::SOCK_STREAM | libc::SOCK_CLOEXEC) as u64;
        // SAFETY: makes a descriptor, touches no memory.
        let socket =
            unsafe { sys::call(libc::SYS_socket, [libc::AF_UNIX as u64, kind, 0, 0, 0, 0]) }?;
        let supervisor = Supervisor {
            socket: socket as i32,
        };
        let patience = PATIENCE;
        for option in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
            let size = mem::size_of_val(&patience) as u64;
            let (level, value) = (libc::SOL_SOCKET as u64, &raw const patience as u64);
            let args = [socket, level, option as u64, value, size, 0];
            // SAFETY: the kernel reads the time.
            unsafe { sys::call(libc::SYS_setsockopt, args) }?;
        }
        let size = mem::size_of_val(&address) as u64;
        let args = [socket, &raw const address as u64, size, 0, 0, 0];
        // SAFETY: the address lives through the call.
        retry(|| unsafe { sys::call(libc::SYS_connect, args) })?;
        let peer = supervisor.peer()?;
        // SAFETY: takes no argument.
        let own = unsafe { sys::call(libc::SYS_geteuid, [0; 6]) }?;
        if peer.uid != 0 && u64::from(peer.uid) != own {
            return Err(Errno(libc::EACCES));
        }
        Ok(supervisor)
    }

    /// Lets the supervisor read this process's memory where Yama restricts it
    /// (`ptrace_scope` 1): it, or the session that is its parent, listens on the socket.
    pub fn permit(&self) {
        permit(match self.peer() {
            Ok(peer) if peer.pid > 0 => peer.pid as u32,
            _ => 0,
        });
    }

    fn peer(&self) -> Result<libc::ucred, Errno> {
        let mut peer = libc::ucred {
            pid: 0,
            uid: 0,
            gid: 0,
        };
        let mut size = mem::size_of_val(&peer) as libc::socklen_t;
        let args = [
            self.socket as u64,
            libc::SOL_SOCKET as u64,
            libc::SO_PEERCRED as u64,
            &raw mut peer as u64,
            &raw mut size as u64,
            0,
        ];
        // SAFETY: the kernel writes at most `size` bytes to `peer`, and then `size` itself.
        unsafe { sys::call(libc::SYS_getsockopt, args) }.map(|_| peer)
    }

    /// Asks to be admitted. `EPERM`: this token, or none, is not what the session wants.
    pub fn ask(&self, token: Option<&Token>) -> Result<(), Errno> {
        let request = request(token);
        let flags = libc::MSG_NOSIGNAL as u64;
        let args = [
            self.socket as u64,
            request.as_ptr() as u64,
            REQUEST as u64,
            flags,
            0,
            0,
        ];
        // SAFETY: sends bytes of ours, to no address.
        let sent = retry(|| unsafe { sys::call(libc::SYS_sendto, args) });
        // Another user is refused before that.
        match self.answer().map_err(|errno| sent.err().unwrap_or(errno))? {
            ADMITTED => Ok(()),
            REFUSED => Err(Errno(libc::EPERM)),
            _ => Err(Errno(libc::EPROTO)),
        }
    }

    /// Sends the listener and waits until it is served.
    pub fn hand_over(&self, listener: i32) -> Result<(), Errno> {
        /// One byte, for a stream socket carries no descriptors without data, beside one
        /// descriptor in a buffer with a header's alignment.
        #[repr(C)]
        struct Rights {
            header: libc::cmsghdr,
            fd: i32,
            padding: i32,
        }
        let mut byte = 0u8;
        let mut vector = libc::iovec {
            iov_base: (&raw mut byte).cast(),
            iov_len: 1,
        };
        // SAFETY: all zeros are valid for both structures.
        let (mut rights, mut message): (Rights, libc::msghdr) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        rights.header.cmsg_level = libc::SOL_SOCKET;
        rights.header.cmsg_type = libc::SCM_RIGHTS;
        rights.header.cmsg_len = (mem::offset_of!(Rights, fd) + mem::size_of::<i32>()) as _;
        rights.fd = listener;
        message.msg_iov = &raw mut vector;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut rights).cast();
        message.msg_controllen = mem::size_of::<Rights>() as _;
        let flags = libc::MSG_NOSIGNAL as u64;
        let args = [
            self.socket as u64,
            &raw const message as u64,
            flags,
            0,
            0,
            GIVEN,
        ];
        // SAFETY: everything that the message points to lives through the call.
        retry(|| unsafe { sys::call(libc::SYS_sendmsg, args) })?;
        match self.answer()? {
            ACCEPTED => Ok(()),
            _ => Err(Errno(libc::EPROTO)),
        }
    }

    /// One byte; `ECONNRESET` when the supervisor hung up instead.
    fn answer(&self) -> Result<u8, Errno> {
        let mut byte = 0u8;
        let args = [self.socket as u64, &raw mut byte as u64, 1, 0, 0, 0];
        // SAFETY: one byte is read into one byte.
        match retry(|| unsafe { sys::call(libc::SYS_read, args) })? {
            1 => Ok(byte),
            _ => Err(Errno(libc::ECONNRESET)),
        }
    }
}

/// Lets a process and its descendants read this one's memory (`PR_SET_PTRACER`); 0: anybody of
/// this user. It is not inherited by children, so each process says it. EINVAL without Yama.
pub fn permit(pid: u32) {
    let who = if pid == 0 { u64::MAX } else { u64::from(pid) };
    // SAFETY: permits another process to look at this one.
    let _ = unsafe {
        sys::call(
            libc::SYS_prctl,
            [libc::PR_SET_PTRACER as u64, who, 0, 0, 0, 0],
        )
    };
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        sys::close(self.socket);
    }
}

/// Why a program could not join before it put the filter on, in words for its user.
pub fn reason(errno: Errno) -> &'static str {
    match errno.0 {
        libc::ENOENT | libc::ECONNREFUSED | libc::ECONNRESET | libc::EPIPE => {
            "the session that it was started for is over"
        }
        libc::EPERM => "the session refused it, as another launch's or another user's",
        libc::EACCES => "what listens there belongs to another user",
        libc::EAGAIN => "the session that it was started for does not answer",
        libc::EBUSY => "it runs under the system call filter of something else",
        _ => "joining the session that it was started for failed",
    }
}

/// Whether a step that failed after the filter was on means that the session ended meanwhile: its
/// sockets are closed, or nobody is there to answer a listed call (seccomp(2): ENOSYS).
pub fn ended_meanwhile(errno: Errno) -> bool {
    matches!(
        errno.0,
        libc::ENOSYS | libc::ENOENT | libc::ECONNREFUSED | libc::ECONNRESET | libc::EPIPE
    )
}

fn retry(mut call: impl FnMut() -> Result<u64, Errno>) -> Result<u64, Errno> {
    loop {
        match call() {
            Err(Errno(libc::EINTR)) => {}
            done => return done,
        }
    }
}
