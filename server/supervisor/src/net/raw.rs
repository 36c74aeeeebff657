//! Three things of the kernel that no safe wrapper offers: a socket's TCP state, its options as
//! bytes, and system calls that end after a while.
#![allow(unsafe_code)]

use std::{
    cell::RefCell,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd},
    sync::Once,
    time::Duration,
};

/// States of `struct tcp_info` (net/tcp_states.h).
pub(super) const TCP_SYN_SENT: u8 = 2;
pub(super) const TCP_CLOSE: u8 = 7;

/// The TCP state of a socket; `None` for what has none.
pub(super) fn tcp_state(socket: impl AsFd) -> Option<u8> {
    let mut info = [0u8; 8];
    let mut length = info.len() as libc::socklen_t;
    // SAFETY: `info` and `length` are ours and `length` is the size of `info`; the kernel cuts
    // its structure to that (tcp(7)).
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &mut length,
        )
    };
    (result == 0 && length > 0).then_some(info[0])
}

/// Options that a listening socket can have had set before, and hands on to what it accepts
/// (socket(7), ip(7), ipv6(7), tcp(7)).
const OPTIONS: &[(i32, i32)] = &[
    (libc::SOL_SOCKET, libc::SO_REUSEADDR),
    (libc::SOL_SOCKET, libc::SO_REUSEPORT),
    (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
    (libc::SOL_SOCKET, libc::SO_OOBINLINE),
    (libc::SOL_SOCKET, libc::SO_LINGER),
    (libc::SOL_SOCKET, libc::SO_PRIORITY),
    (libc::SOL_SOCKET, libc::SO_RCVLOWAT),
    (libc::SOL_SOCKET, libc::SO_RCVTIMEO),
    (libc::SOL_SOCKET, libc::SO_SNDTIMEO),
    (libc::IPPROTO_IP, libc::IP_TOS),
    (libc::IPPROTO_IP, libc::IP_TTL),
    (libc::IPPROTO_IP, libc::IP_FREEBIND),
    (libc::IPPROTO_IPV6, libc::IPV6_V6ONLY),
    (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    (libc::IPPROTO_TCP, libc::TCP_NODELAY),
    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
    (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL),
    (libc::IPPROTO_TCP, libc::TCP_KEEPCNT),
    (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
    (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT),
    (libc::IPPROTO_TCP, libc::TCP_QUICKACK),
    (libc::IPPROTO_TCP, libc::TCP_FASTOPEN),
];

/// Buffer sizes are doubled when they are set (socket(7)), and fixed from then on, so they are
/// only set where they differ from a fresh socket's.
const SIZES: &[i32] = &[libc::SO_RCVBUF, libc::SO_SNDBUF];

/// Gives one socket the options of another, as far as it takes them.
pub(super) fn copy_options(from: impl AsFd, to: impl AsFd) {
    for (level, name) in OPTIONS {
        let value = option(&from, *level, *name);
        if let Some(value) = value
            && Some(&value) != option(&to, *level, *name).as_ref()
        {
            set_option(&to, *level, *name, &value);
        }
    }
    for name in SIZES {
        let size = |socket: &dyn AsFd| {
            let value = option(socket, libc::SOL_SOCKET, *name)?;
            Some(i32::from_ne_bytes(value.try_into().ok()?))
        };
        if let (Some(size), Some(other)) = (size(&from), size(&to))
            && size != other
        {
            set_option(&to, libc::SOL_SOCKET, *name, &(size / 2).to_ne_bytes());
        }
    }
}

fn option(socket: impl AsFd, level: i32, name: i32) -> Option<Vec<u8>> {
    let mut value = [0u8; 32];
    let mut length = value.len() as libc::socklen_t;
    // SAFETY: `value` and `length` are ours and `length` is the size of `value`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            value.as_mut_ptr().cast(),
            &mut length,
        )
    };
    (result == 0).then(|| value[..length as usize].to_vec())
}

fn set_option(socket: impl AsFd, level: i32, name: i32, value: &[u8]) {
    // SAFETY: the pointer and the length are those of one slice.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    };
    if result != 0 {
        let error = std::io::Error::last_os_error();
        tracing::debug!(level, name, %error, "could not copy a socket's option");
    }
}

/// Runs a system call that would block, and makes it fail with EINTR after `limit`.
///
/// A duplicate shares the program's `O_NONBLOCK` flag and its timeouts; changing them, even for a
/// moment, would show in the program. A timer's signal for this thread only does not.
pub(super) fn limited<T>(limit: Duration, call: impl FnOnce() -> T) -> T {
    thread_local! {
        static TIMER: RefCell<Option<Timer>> = const { RefCell::new(None) };
    }
    TIMER.with_borrow_mut(|timer| {
        let timer = match timer {
            Some(timer) => Some(timer),
            None => {
                *timer = Timer::create();
                timer.as_mut()
            }
        };
        if let Some(timer) = &timer {
            timer.set(limit);
        }
        let result = call();
        if let Some(timer) = &timer {
            timer.set(Duration::ZERO);
        }
        result
    })
}

/// A timer that signals the thread which made it.
struct Timer(libc::timer_t);

extern "C" fn nothing(_signal: libc::c_int) {}

impl Timer {
    fn create() -> Option<Timer> {
        static HANDLER: Once = Once::new();
        let signal = libc::SIGRTMIN() + 5;
        // SAFETY: plain calls with structures of our own; the handler does nothing, and without
        // SA_RESTART it makes blocking calls return EINTR (signal(7)). SIGEV_THREAD_ID signals
        // this thread only (timer_create(2)); the signal is unblocked in this thread only.
        unsafe {
            HANDLER.call_once(|| {
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                action.sa_sigaction = nothing as *const () as usize;
                libc::sigaction(signal, &action, std::ptr::null_mut());
            });
            let mut set = MaybeUninit::<libc::sigset_t>::zeroed().assume_init();
            libc::sigemptyset(&mut set);
            libc::sigaddset(&mut set, signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
            let mut event: libc::sigevent = MaybeUninit::zeroed().assume_init();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = signal;
            event.sigev_notify_thread_id = libc::gettid();
            let mut timer = std::ptr::null_mut();
            (libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) == 0)
                .then_some(Timer(timer))
        }
    }

    /// Signals after `limit` and then again and again (the first could come before the call);
    /// zero stops it.
    fn set(&self, limit: Duration) {
        let time = libc::timespec {
            tv_sec: limit.as_secs() as libc::time_t,
            tv_nsec: limit.subsec_nanos().into(),
        };
        let spec = libc::itimerspec {
            it_interval: time,
            it_value: time,
        };
        // SAFETY: our own timer and structure.
        unsafe { libc::timer_settime(self.0, 0, &spec, std::ptr::null_mut()) };
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // SAFETY: our own timer, not used afterwards.
        unsafe { libc::timer_delete(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Instant};

    use super::*;

    #[test]
    fn a_blocking_accept_is_ended_and_the_timer_stops() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let began = Instant::now();
        // std repeats after EINTR, rustix does not.
        let result = limited(Duration::from_millis(20), || rustix::net::accept(&listener));
        assert_eq!(result.unwrap_err(), rustix::io::Errno::INTR);
        assert!(began.elapsed() < Duration::from_secs(1));
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(tcp_state(&listener), Some(10));
    }
}
