//! The supervisor's side: blocking questions to the file server from any number of threads.
//!
//! A thread takes an idle stream socket (or makes one), asks, and waits on that socket alone, so
//! the answer wakes the thread that wants it and no other. Giving a question up closes its socket.

use std::{
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use mirrord_protocol::{
    codec,
    creds::Creds,
    files::{Attr, Parent, Want},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    net::{RecvFlags, SendFlags},
};

use crate::{
    FilesError,
    local::{self, MAX_MESSAGE, Question, Told, WalkedLocally, Welcome},
};

/// Idle sockets kept; more calls at once work too, but pay for a socket each.
const KEPT: usize = 16;

/// A connection to the file server. All methods may be called from many threads at once.
#[derive(Debug)]
pub struct FilesClient {
    control: OwnedFd,
    root: Option<OwnedFd>,
    limits: Option<String>,
    idle: Mutex<Vec<UnixStream>>,
}

/// What a walk found out.
#[derive(Debug, Clone)]
pub struct Walked {
    /// The file at the end of the path, or the errno that the pod gives for it.
    pub found: Result<Found, i32>,
    /// The directory that holds the last name, when the walk came that far: with ENOENT it says
    /// that only the last name is missing, and whether it may be made.
    pub parent: Option<Parent>,
    /// Until when all this may be believed.
    pub valid_until: Instant,
}

/// A file of the pod.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its path in the pod, without symbolic links.
    pub path: Vec<u8>,
    /// Its attributes, as `statx(2)` gives them in the pod.
    pub attr: Attr,
    /// What the pod's kernel allows: bits of [`mirrord_protocol::files::allow`].
    pub allowed: u8,
    /// The original text, when it is a symbolic link (the mount shows absolute ones as relative).
    pub link: Option<Vec<u8>>,
}

impl Found {
    /// The kind bits of its mode (`S_IFMT`).
    pub fn kind(&self) -> u32 {
        self.attr.mode & libc::S_IFMT
    }
}

impl FilesClient {
    /// Takes the supervisor's end of the socket pair whose other end [`crate::serve()`] got, and
    /// waits for the file server to be ready.
    pub fn from_fd(control: OwnedFd) -> Result<FilesClient, FilesError> {
        let mut buffer = vec![0; MAX_MESSAGE];
        let received = loop {
            match local::receive_with_fd(&control, &mut buffer, RecvFlags::empty()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => break received,
            }
        };
        let (len, root) = received.map_err(FilesError::Welcome)?;
        if len == 0 {
            return Err(FilesError::Welcome(io::ErrorKind::UnexpectedEof.into()));
        }
        let limits = match (codec::decode::<Welcome>(&buffer[..len]), &root) {
            (Ok(Welcome::Mounted), Some(_)) => None,
            (Ok(Welcome::Snapshots { reason }), _) => Some(reason),
            (Ok(Welcome::Failed { reason }), _) => return Err(FilesError::Remote(reason)),
            _ => return Err(FilesError::Welcome(io::ErrorKind::InvalidData.into())),
        };
        if let Some(root) = &root {
            // Until its attributes were read once, the root belongs to uid 0, which in a user
            // namespace of ours does not exist, and the kernel refuses to make names in it.
            rustix::fs::fstat(root).map_err(|errno| FilesError::Welcome(errno.into()))?;
        }
        Ok(FilesClient {
            control,
            root,
            limits,
            idle: Mutex::default(),
        })
    }

    /// As [`FilesClient::from_fd`], for a worker that follows one that had the welcome: it is
    /// asked for once more.
    pub fn again(control: OwnedFd) -> Result<FilesClient, FilesError> {
        local::send_with_fd(&control, &[0], None, SendFlags::empty())
            .map_err(FilesError::Welcome)?;
        FilesClient::from_fd(control)
    }

    /// The root of the pod's tree, for `openat2(RESOLVE_IN_ROOT)`; `None` without FUSE, where only
    /// [`FilesClient::walk`] and [`FilesClient::snapshot`] work.
    pub fn root(&self) -> Option<BorrowedFd<'_>> {
        self.root.as_ref().map(AsFd::as_fd)
    }

    /// Why there is no mount and what does not work without it, for the user.
    pub fn limits(&self) -> Option<&str> {
        self.limits.as_deref()
    }

    /// Resolves a path in the pod, in one round trip, with the rights of the target or of
    /// `creds`. Afterwards the kernel's walk over the same path, and what `want` names, need no
    /// round trip while the answer is valid.
    ///
    /// `Err`: it could not be found out. EINTR: `cancelled` became readable; ENOTCONN: the file
    /// server is gone; ETIMEDOUT or EIO: the agent does not answer.
    pub fn walk(
        &self,
        path: &[u8],
        follow_last: bool,
        want: Want,
        creds: Option<&Creds>,
        cancelled: Option<BorrowedFd<'_>>,
    ) -> Result<Walked, i32> {
        let question = Question::Walk {
            path: path.to_vec(),
            follow_last,
            want,
            creds: creds.cloned(),
        };
        match self.ask(&question, cancelled)? {
            (Told::Walked(walked), _) => walked.map(Walked::from),
            _ => Err(Errno::PROTO.raw_os_error()),
        }
    }

    /// The original text of a symbolic link.
    pub fn readlink(
        &self,
        path: &[u8],
        creds: Option<&Creds>,
        cancelled: Option<BorrowedFd<'_>>,
    ) -> Result<Vec<u8>, i32> {
        let found = self
            .walk(path, false, Want::Attr, creds, cancelled)?
            .found?;
        found.link.ok_or(Errno::INVAL.raw_os_error())
    }

    /// The whole content of a regular file as it is now, in a sealed memory file of its own.
    pub fn snapshot(
        &self,
        path: &[u8],
        creds: Option<&Creds>,
        cancelled: Option<BorrowedFd<'_>>,
    ) -> Result<OwnedFd, i32> {
        let question = Question::Snapshot {
            path: path.to_vec(),
            creds: creds.cloned(),
        };
        match self.ask(&question, cancelled)? {
            (Told::Snapshot(result), fd) => {
                result.and_then(|()| fd.ok_or(Errno::PROTO.raw_os_error()))
            }
            _ => Err(Errno::PROTO.raw_os_error()),
        }
    }

    fn ask(
        &self,
        question: &Question,
        cancelled: Option<BorrowedFd<'_>>,
    ) -> Result<(Told, Option<OwnedFd>), i32> {
        let framed = local::frame(question).map_err(errno)?;
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let socket = idle.map_or_else(|| self.connect(), Ok)?;
        (&socket).write_all(&framed).map_err(gone)?;
        let told = receive(&socket, cancelled)?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(socket);
        }
        Ok(told)
    }

    fn connect(&self) -> Result<UnixStream, i32> {
        let (ours, theirs) = UnixStream::pair().map_err(errno)?;
        let theirs = OwnedFd::from(theirs);
        local::send_with_fd(&self.control, &[0], Some(&theirs), SendFlags::empty())
            .map_err(gone)?;
        Ok(ours)
    }
}

impl From<WalkedLocally> for Walked {
    fn from(walked: WalkedLocally) -> Self {
        Walked {
            found: walked.found.map(|found| Found {
                path: found.path,
                attr: found.attr,
                allowed: found.allowed,
                link: found.link,
            }),
            parent: walked.parent,
            valid_until: Instant::now() + Duration::from_micros(walked.valid_micros),
        }
    }
}

/// Waits for one whole answer, or for `cancelled`.
fn receive(
    socket: &UnixStream,
    cancelled: Option<BorrowedFd<'_>>,
) -> Result<(Told, Option<OwnedFd>), i32> {
    let mut message = vec![0; 512];
    let mut filled = 0;
    let mut fd = None;
    loop {
        if let Some(cancelled) = cancelled {
            wait(socket.as_fd(), cancelled)?;
        }
        let (len, passed) =
            match local::receive_with_fd(socket, &mut message[filled..], RecvFlags::empty()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                received => received.map_err(gone)?,
            };
        if len == 0 {
            return Err(Errno::NOTCONN.raw_os_error());
        }
        fd = fd.or(passed);
        filled += len;
        let Some((size, body)) = message[..filled].split_first_chunk() else {
            continue;
        };
        let size = u32::from_le_bytes(*size) as usize;
        if size > MAX_MESSAGE {
            return Err(Errno::PROTO.raw_os_error());
        }
        if body.len() == size {
            let told = codec::decode(body).map_err(|_| Errno::PROTO.raw_os_error())?;
            return Ok((told, fd));
        }
        message.resize(4 + size, 0);
    }
}

fn wait(socket: BorrowedFd<'_>, cancelled: BorrowedFd<'_>) -> Result<(), i32> {
    loop {
        let mut fds = [
            PollFd::new(&socket, PollFlags::IN),
            PollFd::new(&cancelled, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.raw_os_error()),
            Ok(_) => {}
        }
        if !fds[0].revents().is_empty() {
            return Ok(());
        }
        if !fds[1].revents().is_empty() {
            return Err(Errno::INTR.raw_os_error());
        }
    }
}

fn errno(error: io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// Any trouble on these sockets means that the file server is gone.
fn gone(_: io::Error) -> i32 {
    Errno::NOTCONN.raw_os_error()
}
