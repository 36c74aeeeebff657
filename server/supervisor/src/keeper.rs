//! The process that must not die: it holds the listeners, and a worker that it forked serves
//! them.
//!
//! If a listener were closed, every listed call of the supervised programs would fail with
//! ENOSYS. So the keeper does as little as can be done: it takes hand-overs, passes them to the
//! worker, and replaces a worker that died with the same descriptors. It is single threaded, so
//! that it may fork(2) at any time.

use std::{
    io::IoSliceMut,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use mirrord_filter::hand_over::ACCEPTED;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags,
        SocketFlags, SocketType, accept_with, recvmsg, send, socketpair, sockopt,
    },
    process::{Pid, Signal, WaitOptions, kill_process, waitpid},
};

use crate::{
    SupervisorConfig, SupervisorError, fork,
    listener::Listener,
    packets::{self, Packet},
    shared::Shared,
    shared_table::SharedTable,
    tell, worker,
};

/// After this many deaths within this time the session is given up.
const DEATHS: usize = 5;
const WITHIN: Duration = Duration::from_secs(10);

/// A client of the hand-over socket that says nothing is not waited for longer.
const HAND_OVER: Duration = Duration::from_secs(1);

/// What the keeper holds, and a worker inherits.
pub(crate) struct Held {
    pub config: SupervisorConfig,
    pub shared: Shared,
    pub table: SharedTable,
    pub generation: u16,
}

struct Worker {
    pid: Pid,
    socket: OwnedFd,
}

/// Runs until a worker ends in peace.
pub(crate) fn keep(mut held: Held) -> Result<(), SupervisorError> {
    let mut listeners: Vec<Option<OwnedFd>> = Vec::new();
    let mut deaths: Vec<Instant> = Vec::new();
    let mut worker = start(&held, &listeners)?;
    loop {
        match wait(&held, &worker, &listeners)? {
            News::HandOver => {
                if let Some((client, listener)) = take_hand_over(&held) {
                    let index = listeners.len() as u32;
                    packets::send(
                        &worker.socket,
                        Packet::Listener(index),
                        Some(listener.as_fd()),
                    );
                    listeners.push(Some(listener));
                    let _ = send(&client, &[ACCEPTED], SendFlags::NOSIGNAL);
                }
            }
            News::Closed(index) => listeners[index] = None,
            News::WorkerGone => {
                let status = waitpid(Some(worker.pid), WaitOptions::empty())
                    .map_err(SupervisorError::setup("wait for its worker"))?;
                if status.is_some_and(|(_, status)| status.exit_status() == Some(0)) {
                    return Ok(());
                }
                deaths.retain(|death| death.elapsed() < WITHIN);
                deaths.push(Instant::now());
                if deaths.len() >= DEATHS {
                    give_up(&held);
                    return Err(SupervisorError::WorkerDies {
                        times: deaths.len(),
                    });
                }
                let how = status
                    .map(|(_, status)| describe(status))
                    .unwrap_or_default();
                tell(format_args!(
                    "the process that answers system calls died ({how}); another one goes on"
                ));
                held.generation = held.generation.wrapping_add(1);
                worker = start(&held, &listeners)?;
            }
        }
    }
}

enum News {
    HandOver,
    Closed(usize),
    WorkerGone,
}

/// Forks a worker and gives it all listeners.
fn start(held: &Held, listeners: &[Option<OwnedFd>]) -> Result<Worker, SupervisorError> {
    let (ours, theirs) = socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .map_err(SupervisorError::setup("make a socket to its worker"))?;
    let forked = fork::fork().map_err(SupervisorError::setup("fork its worker"))?;
    let Some(pid) = forked else {
        drop(ours);
        let code = match worker::run(held, theirs) {
            Ok(()) => 0,
            Err(error) => {
                tell(format_args!("{error}"));
                1
            }
        };
        std::process::exit(code);
    };
    let worker = Worker { pid, socket: ours };
    for (index, listener) in listeners.iter().enumerate() {
        if let Some(listener) = listener {
            let packet = Packet::Listener(index as u32);
            packets::send(&worker.socket, packet, Some(listener.as_fd()));
        }
    }
    packets::send(&worker.socket, Packet::AllGiven, None);
    Ok(worker)
}

/// Waits for the next thing to do.
fn wait(
    held: &Held,
    worker: &Worker,
    listeners: &[Option<OwnedFd>],
) -> Result<News, SupervisorError> {
    let indices: Vec<usize> = (0..listeners.len())
        .filter(|i| listeners[*i].is_some())
        .collect();
    loop {
        let mut fds = vec![
            PollFd::new(&worker.socket, PollFlags::IN),
            PollFd::new(&held.config.hand_over, PollFlags::IN),
        ];
        // Nothing is asked about listeners but whether all callers are gone.
        fds.extend(
            listeners
                .iter()
                .flatten()
                .map(|l| PollFd::new(l, PollFlags::empty())),
        );
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(SupervisorError::setup("wait for news")(errno)),
        }
        let closed = fds[2..]
            .iter()
            .position(|fd| fd.revents().contains(PollFlags::HUP));
        if let Some(index) = closed.and_then(|at| indices.get(at)) {
            return Ok(News::Closed(*index));
        }
        if !fds[0].revents().is_empty() {
            return Ok(News::WorkerGone);
        }
        if fds[1].revents().contains(PollFlags::IN) {
            return Ok(News::HandOver);
        }
        if !fds[1].revents().is_empty() {
            return Err(SupervisorError::setup("accept hand-overs")(Errno::BADF));
        }
    }
}

/// Takes a listener from a client of the right user.
fn take_hand_over(held: &Held) -> Option<(OwnedFd, OwnedFd)> {
    let client = accept_with(&held.config.hand_over, SocketFlags::CLOEXEC).ok()?;
    let peer = sockopt::socket_peercred(&client).ok()?;
    if peer.uid.as_raw() != held.config.owner && !peer.uid.is_root() {
        tracing::warn!(
            uid = peer.uid.as_raw(),
            "refused a hand-over from another user"
        );
        return None;
    }
    sockopt::set_socket_timeout(&client, sockopt::Timeout::Recv, Some(HAND_OVER)).ok()?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut parts = [IoSliceMut::new(&mut byte)];
    recvmsg(&client, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC).ok()?;
    let mut fd = None;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            fd = fd.or(fds.last());
        }
    }
    // Asking it something only a listener answers.
    let copy = fd.as_ref()?.try_clone().ok()?;
    if Listener::new(copy).is_none() {
        tracing::warn!("refused a hand-over that was no seccomp listener");
        return None;
    }
    Some((client, fd?))
}

/// No worker can be kept alive: better no program than one whose every call fails.
fn give_up(held: &Held) {
    tell(format_args!(
        "the process that answers system calls died {DEATHS} times in a row; the program is stopped. Please report it with the lines above"
    ));
    for tgid in held.shared.processes() {
        if let Some(pid) = Pid::from_raw(tgid) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

fn describe(status: rustix::process::WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "unknown reason".into(),
    }
}
