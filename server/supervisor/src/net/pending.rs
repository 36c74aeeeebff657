//! Non-blocking connects that the program waits for in its own way: one thread hears how they
//! end.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex},
    thread,
};

use mirrord_protocol::local::ToSupervisor;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use super::{lock, socket::Socket};
use crate::session_link::Answers;

/// The connects that are under way.
pub(super) struct Pending {
    shared: Arc<Shared>,
}

struct Shared {
    added: Mutex<Vec<Waiting>>,
    wake: OwnedFd,
}

struct Waiting {
    answers: Answers,
    /// Keeps the socket's address in use until the end is known, so that a late completion
    /// cannot meet another socket on the same port.
    _socket: Socket,
    done: Box<dyn FnOnce(Option<i32>) + Send>,
}

impl Pending {
    pub(super) fn start() -> io::Result<Pending> {
        let shared = Arc::new(Shared {
            added: Mutex::default(),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        });
        let watched = shared.clone();
        thread::Builder::new()
            .name("connects".into())
            .stack_size(128 * 1024)
            .spawn(move || watch(&watched))?;
        Ok(Pending { shared })
    }

    /// Calls `done` with the errno, if any, when the pod's end of a connect is known.
    pub(super) fn watch(
        &self,
        answers: Answers,
        socket: Socket,
        done: impl FnOnce(Option<i32>) + Send + 'static,
    ) {
        let done = Box::new(done);
        lock(&self.shared.added).push(Waiting {
            answers,
            _socket: socket,
            done,
        });
        if let Err(errno) = rustix::io::write(&self.shared.wake, &1u64.to_ne_bytes()) {
            tracing::error!(%errno, "could not wake the thread that watches connects");
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
            && errno != rustix::io::Errno::INTR
        {
            tracing::error!(%errno, "could not wait for the ends of connects");
            thread::sleep(std::time::Duration::from_millis(100));
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
                Some(answer) => {
                    let ended = waiting.swap_remove(index);
                    (ended.done)(match answer {
                        ToSupervisor::Connected {
                            result: Err(errno), ..
                        } => Some(errno),
                        _ => None,
                    });
                }
            }
        }
    }
}
