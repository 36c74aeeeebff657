//! Non-blocking connects that the program waits for in its own way: one thread hears how they
//! end, and makes a failed one show.
//!
//! No call puts an errno into a socket. A failed connect is broken off and connected once more,
//! to the address that refuses now: the program's poll wakes at once, as it would by a RST. The
//! pod's errno is kept here and given to the program when it reads `SO_ERROR`, or connects again.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use mirrord_protocol::local::ToSupervisor;
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, eventfd, poll},
    io::Errno,
    net::sockopt,
};

use super::{lock, raw, socket::Socket};
use crate::session_link::Answers;

/// Programs read a failed connect's error at once; a socket that was closed instead never asks.
const KEPT: Duration = Duration::from_secs(60);

/// The connects that are under way, and how others failed.
pub(super) struct Pending {
    shared: Arc<Shared>,
}

struct Shared {
    added: Mutex<Vec<Waiting>>,
    wake: OwnedFd,
    /// What sockets are connected to meanwhile, by their cookies.
    under_way: Mutex<HashMap<u64, SocketAddr>>,
    failed: Mutex<HashMap<u64, (i32, Instant)>>,
    /// Of `failed`, to be looked at without its lock.
    failures: AtomicUsize,
}

struct Waiting {
    answers: Answers,
    /// Keeps the socket's address in use until the end is known, so that a late completion
    /// cannot meet another socket on the same port.
    socket: Socket,
    via: SocketAddr,
    done: Box<dyn FnOnce(Option<i32>) + Send>,
}

impl Pending {
    pub(super) fn start() -> io::Result<Pending> {
        let shared = Arc::new(Shared {
            added: Mutex::default(),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            under_way: Mutex::default(),
            failed: Mutex::default(),
            failures: AtomicUsize::new(0),
        });
        let watched = shared.clone();
        thread::Builder::new()
            .name("connects".into())
            .stack_size(128 * 1024)
            .spawn(move || watch(&watched))?;
        Ok(Pending { shared })
    }

    /// Calls `done` with the errno, if any, when the pod's end of a connect to `via` is known.
    pub(super) fn watch(
        &self,
        answers: Answers,
        socket: Socket,
        via: SocketAddr,
        done: impl FnOnce(Option<i32>) + Send + 'static,
    ) {
        let done = Box::new(done);
        self.begin(&socket, via);
        lock(&self.shared.added).push(Waiting {
            answers,
            socket,
            via,
            done,
        });
        if let Err(errno) = rustix::io::write(&self.shared.wake, &1u64.to_ne_bytes()) {
            tracing::error!(%errno, "could not wake the thread that watches connects");
        }
    }

    /// Makes a connect that nobody waits for in a call show its errno, as [`Pending::watch`] does.
    pub(super) fn fail(&self, socket: &Socket, via: SocketAddr, errno: i32) -> Result<(), Errno> {
        self.shared.fail(socket, via, errno)
    }

    /// A connect is pending.
    pub(super) fn begin(&self, socket: &Socket, via: SocketAddr) {
        if let Ok(cookie) = socket.cookie() {
            lock(&self.shared.under_way).insert(cookie, via);
        }
    }

    /// It is not any more.
    pub(super) fn over(&self, socket: &Socket) {
        self.shared.ended(socket);
    }

    /// What a socket is connected to while its connect is pending.
    pub(super) fn via(&self, socket: &Socket) -> Option<SocketAddr> {
        let under_way = lock(&self.shared.under_way);
        if under_way.is_empty() {
            return None;
        }
        under_way.get(&socket.cookie().ok()?).copied()
    }

    /// Whether any connect failed of late: otherwise nobody's error need be looked up.
    pub(super) fn has_failures(&self) -> bool {
        self.shared.failures.load(Ordering::Acquire) != 0
    }

    /// The errno of a connect that failed, once, and takes the kernel's stand-in for it away.
    pub(super) fn take_failure(&self, socket: &Socket) -> Option<i32> {
        if !self.has_failures() {
            return None;
        }
        let mut failed = lock(&self.shared.failed);
        let (errno, _) = failed.remove(&socket.cookie().ok()?)?;
        self.shared.failures.store(failed.len(), Ordering::Release);
        // Reading it clears it (socket(7)).
        let _ = sockopt::socket_error(socket);
        Some(errno)
    }
}

impl Shared {
    fn ended(&self, socket: &Socket) {
        if let Ok(cookie) = socket.cookie() {
            lock(&self.under_way).remove(&cookie);
        }
    }

    fn fail(&self, socket: &Socket, via: SocketAddr, errno: i32) -> Result<(), Errno> {
        let now = Instant::now();
        // Held throughout: breaking off shows as ECONNRESET for a moment, and a program that is
        // quick enough to ask then waits for us here.
        let mut failed = lock(&self.failed);
        failed.retain(|_, (_, since)| now - *since < KEPT);
        failed.insert(socket.cookie()?, (errno, now));
        self.failures.store(failed.len(), Ordering::Release);
        rustix::net::connect_unspec(socket)?;
        // A call that waits would take the error away itself.
        let waits = !socket.nonblocking();
        if waits {
            rustix::io::ioctl_fionbio(socket, true)?;
        }
        let connected = rustix::net::connect(socket, &via);
        if waits {
            rustix::io::ioctl_fionbio(socket, false)?;
        }
        match connected {
            Ok(()) | Err(Errno::INPROGRESS | Errno::CONNREFUSED) => Ok(()),
            Err(errno) => Err(errno),
        }
    }
}

fn watch(shared: &Shared) {
    let mut waiting: Vec<Waiting> = Vec::new();
    loop {
        let mut fds = vec![PollFd::from_borrowed_fd(shared.wake.as_fd(), PollFlags::IN)];
        let answers = waiting.iter().map(|waiting| waiting.answers.fd());
        fds.extend(answers.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        if let Err(errno) = poll(&mut fds, None)
            && errno != Errno::INTR
        {
            tracing::error!(%errno, "could not wait for the ends of connects");
            thread::sleep(Duration::from_millis(100));
        }
        let woken = !fds[0].revents().is_empty();
        drop(fds);
        if woken {
            let _ = rustix::io::read(&shared.wake, &mut [0; 8]);
            waiting.append(&mut lock(&shared.added));
        }
        let mut index = 0;
        while index < waiting.len() {
            match waiting[index].answers.take() {
                None => index += 1,
                Some(answer) => end(shared, waiting.swap_remove(index), &answer),
            }
        }
    }
}

fn end(shared: &Shared, waiting: Waiting, answer: &ToSupervisor) {
    let Waiting {
        socket, via, done, ..
    } = waiting;
    let ToSupervisor::Connected {
        result: Err(errno), ..
    } = answer
    else {
        shared.ended(&socket);
        return done(None);
    };
    // A socket that is connected after all was completed as the pod's answer came.
    if raw::tcp_state(&socket) != Some(raw::TCP_SYN_SENT) {
        tracing::debug!(errno, "a connect failed that its program had given up");
    } else if let Err(error) = shared.fail(&socket, via, *errno) {
        // The closed address refuses it at the next SYN, within a second or some.
        tracing::debug!(%error, "could not fail a pending connect at once");
    }
    shared.ended(&socket);
    done(Some(*errno));
}
