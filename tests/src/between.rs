//! What lies between a session and its agent: a relay on loopback that a test can cut, keep cut,
//! and let through again; and the links of a session on a Unix socket, cut from outside.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// A relay. Its thread ends with the test's process.
pub struct Between {
    /// Where the session calls.
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    /// Where callers are led to; `None`: they are hung up on.
    to: Option<SocketAddr>,
    /// The connections, the session's end and the agent's.
    pairs: Vec<(TcpStream, TcpStream)>,
}

impl Between {
    /// A relay to an agent.
    pub fn new(to: SocketAddr) -> Between {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(Mutex::new(State {
            to: Some(to),
            pairs: Vec::new(),
        }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                // An agent that is gone refuses; the caller hears of it by our hanging up.
                let _ = lead(caller, &shared);
            }
        });
        Between { address, state }
    }

    /// Cuts all connections, and hangs up on new ones.
    pub fn cut(&self) {
        let mut state = lock(&self.state);
        state.to = None;
        for (session, agent) in state.pairs.drain(..) {
            close(&session);
            close(&agent);
        }
    }

    /// Cuts the session's end of all connections; the agent sees nothing of that. The agent's ends
    /// must be kept, as a network would keep them.
    pub fn cut_unnoticed(&self) -> Vec<TcpStream> {
        let mut state = lock(&self.state);
        let cut = state.pairs.drain(..).map(|(session, agent)| {
            close(&session);
            agent
        });
        cut.collect()
    }

    /// Leads new callers to this agent.
    pub fn through(&self, to: SocketAddr) {
        lock(&self.state).to = Some(to);
    }
}

fn lead(caller: TcpStream, shared: &Mutex<State>) -> io::Result<()> {
    let mut state = lock(shared);
    let Some(to) = state.to else { return Ok(()) };
    let agent = TcpStream::connect(to)?;
    for stream in [&caller, &agent] {
        stream.set_nodelay(true)?;
    }
    // The end of one direction is not passed on: only the test cuts.
    let ways = [
        (caller.try_clone()?, agent.try_clone()?, true),
        (agent.try_clone()?, caller.try_clone()?, false),
    ];
    for (mut from, mut to, of_session) in ways {
        let other = to.try_clone()?;
        std::thread::spawn(move || {
            let copied = io::copy(&mut from, &mut to);
            // An agent that ends closes its links, and so do we; a session's end is cut by tests
            // without the agent's seeing it.
            if !of_session && copied.is_ok() {
                close(&other);
            }
        });
    }
    state.pairs.push((caller, agent));
    Ok(())
}

fn close(stream: &TcpStream) {
    // One that is closed already is what was wanted.
    let _ = stream.shutdown(Shutdown::Both);
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Cuts a process's connections to the Unix socket of this name, as a kernel could. Returns how many
/// there were.
pub fn cut_unix_links(pid: i32, socket_name: &str) -> usize {
    let links = unix_links(pid, socket_name);
    for link in &links {
        rustix::net::shutdown(link, rustix::net::Shutdown::Both).expect("shut down");
    }
    links.len()
}

/// Copies of a process's connections to the Unix socket of this name (pidfd_getfd(2)).
pub fn unix_links(pid: i32, socket_name: &str) -> Vec<OwnedFd> {
    let id = Pid::from_raw(pid).expect("a process");
    let process = pidfd_open(id, PidfdFlags::empty()).expect("it runs");
    let mut links = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("it runs")
        .flatten()
    {
        let name = entry.file_name();
        let number = name.to_string_lossy().parse().expect("a number");
        let link = std::fs::read_link(entry.path()).unwrap_or_default();
        if !link.to_string_lossy().starts_with("socket:") {
            continue;
        }
        let Ok(copy) = pidfd_getfd(process.as_fd(), number, PidfdGetfdFlags::empty()) else {
            continue;
        };
        if leads_to(&copy, socket_name) {
            links.push(copy);
        }
    }
    links
}

fn leads_to(socket: &OwnedFd, name: &str) -> bool {
    let peer = rustix::net::getpeername(socket).ok().flatten();
    let peer = peer.and_then(|peer| rustix::net::SocketAddrUnix::try_from(peer).ok());
    let path = peer.as_ref().and_then(|peer| peer.path_bytes());
    path.is_some_and(|path| path.ends_with(name.as_bytes()))
}
