//! Signals that reach `exec` are meant for the program: they are passed on, unless the terminal
//! already gave them to the whole foreground group.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use anyhow::{Context, Result};
use tokio::io::unix::AsyncFd;

const PASSED_ON: [i32; 6] = [
    libc::SIGINT,
    libc::SIGTERM,
    libc::SIGQUIT,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

/// The signals that reach us, in order.
pub struct Signals {
    fd: AsyncFd<OwnedFd>,
}

/// One signal.
#[derive(Debug, Clone, Copy)]
pub struct Signal {
    /// Its number.
    pub number: i32,
    /// The terminal sent it to every process of the foreground group, the program included.
    pub from_terminal: bool,
}

/// The mask that we were started with, which is the program's too.
static BEFORE: OnceLock<libc::sigset_t> = OnceLock::new();

/// Blocks the signals in this thread and all that it starts. To be called while there is only
/// one. A blocked signal stays blocked over fork and exec, hence [`unblock`] for what we start.
pub fn block() -> Result<()> {
    let set = set();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `set` is initialised; the old mask is written to memory of its size.
    let result = unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, before.as_mut_ptr()) };
    if result != 0 {
        return Err(io::Error::from_raw_os_error(result)).context("could not block signals");
    }
    // SAFETY: pthread_sigmask succeeded, so it wrote the old mask.
    let _ = BEFORE.set(unsafe { before.assume_init() });
    Ok(())
}

/// Gives a child, between fork and exec, the mask that we were started with. Async-signal-safe.
pub fn unblock() -> io::Result<()> {
    let Some(before) = BEFORE.get() else {
        return Ok(());
    };
    // SAFETY: `before` is a whole mask; no old one is asked for.
    let result = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
    if result != 0 {
        return Err(io::Error::from_raw_os_error(result));
    }
    Ok(())
}

/// As [`unblock`], for a process that has just left the terminal's session: what the terminal sent
/// before is not for it. Async-signal-safe.
pub fn unblock_apart() -> io::Result<()> {
    for number in [libc::SIGINT, libc::SIGQUIT, libc::SIGHUP] {
        // SAFETY: both sets and actions are plain memory that the calls fill or read; ignoring a
        // signal discards one that is pending (sigaction(2)), then the old action is back.
        unsafe {
            let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
            if libc::sigpending(pending.as_mut_ptr()) == 0
                && libc::sigismember(pending.as_ptr(), number) == 1
            {
                let mut ignore: libc::sigaction = std::mem::zeroed();
                ignore.sa_sigaction = libc::SIG_IGN;
                let mut before = MaybeUninit::<libc::sigaction>::uninit();
                libc::sigaction(number, &ignore, before.as_mut_ptr());
                libc::sigaction(number, before.as_ptr(), std::ptr::null_mut());
            }
        }
    }
    unblock()
}

impl Signals {
    /// Begins to receive them; [`block`] must have been called.
    pub fn listen() -> Result<Self> {
        let set = set();
        // SAFETY: signalfd(2) on an initialised set; the new descriptor is ours.
        let fd = unsafe {
            let number = libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if number < 0 {
                return Err(io::Error::last_os_error()).context("could not listen to signals");
            }
            OwnedFd::from_raw_fd(number)
        };
        // SAFETY: the AsyncFd owns the descriptor, so its number stays ours until it is dropped.
        let fd = unsafe { AsyncFd::register(fd)? };
        Ok(Signals { fd })
    }

    /// The next one.
    pub async fn next(&self) -> Result<Signal> {
        loop {
            let mut ready = self.fd.readable().await?;
            if let Ok(read) = ready.try_io(|fd| read(fd.get_ref())) {
                return read.context("could not read a signal");
            }
        }
    }

    /// One that has arrived already.
    pub fn pending(&self) -> Result<Option<Signal>> {
        match read(self.fd.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            read => read.map(Some).context("could not read a signal"),
        }
    }
}

fn read(fd: &OwnedFd) -> io::Result<Signal> {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
    let size = std::mem::size_of::<libc::signalfd_siginfo>();
    // SAFETY: the buffer is as large as the one structure that is read into it.
    let count = unsafe { libc::read(fd.as_raw_fd(), info.as_mut_ptr().cast(), size) };
    if count != size as isize {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: signalfd(2) filled the whole structure; zeroes are valid for it anyway.
    let info = unsafe { info.assume_init() };
    Ok(Signal {
        number: info.ssi_signo as i32,
        from_terminal: info.ssi_code == libc::SI_KERNEL,
    })
}

fn set() -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset initialises the set; the numbers are valid.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for number in PASSED_ON {
            libc::sigaddset(set.as_mut_ptr(), number);
        }
        set.assume_init()
    }
}
