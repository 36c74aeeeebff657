//! A handler for tests: `/remote/quick/X` and `/remote/MILLISECONDS/X` are files of a folder that
//! stands for the pod, opened at once or after a while; `/remote/crash/X` kills the worker once;
//! `/remote/ask/X` asks the session first, whose answer never comes.

use std::{
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use mirrord_filter::control::ADDRESS_ONLY;
use mirrord_protocol::local::FromSupervisor;
use mirrord_supervisor::{
    SupervisorError,
    call::{Call, Cancelled, Interrupt, Outcome, Plan, Value},
    context::Context,
    handler::Handler,
    session_link::{NoAnswer, SessionLink},
    tracee::Tracee,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
};

struct Remote {
    folder: PathBuf,
    generation: u16,
    session: Arc<SessionLink>,
}

/// How long `/remote/ask/X` waits.
const ASKS: Duration = Duration::from_secs(2);

/// Given to the supervisor.
pub fn make(context: &Context) -> Result<Vec<Arc<dyn Handler>>, SupervisorError> {
    let folder = std::env::var_os("REMOTE").expect("a folder").into();
    Ok(vec![Arc::new(Remote {
        folder,
        generation: context.generation,
        session: context.session.clone(),
    })])
}

impl Handler for Remote {
    fn calls(&self) -> &'static [i64] {
        &[
            libc::SYS_openat,
            libc::SYS_connect,
            libc::SYS_execve,
            libc::SYS_getcwd,
            libc::SYS_sendto,
            libc::SYS_recvfrom,
        ]
    }

    fn plan(&self, call: &Call, tracee: &Tracee) -> Plan {
        match call.nr {
            libc::SYS_openat => self.open(call, tracee),
            libc::SYS_connect => connect(call, tracee),
            libc::SYS_sendto => exchange(call, tracee, [10, 1, 2, 3], [127, 0, 0, 1]),
            libc::SYS_recvfrom => exchange(call, tracee, [127, 0, 0, 1], [10, 1, 2, 3]),
            libc::SYS_getcwd => {
                let answer = Outcome::number(5).write(call.args[0], b"/pod\0".to_vec());
                Plan::Done(answer)
            }
            _ => Plan::Continue,
        }
    }
}

impl Remote {
    fn log(&self, path: &str) {
        use std::io::Write;
        let log = self.folder.with_extension("asked");
        let file = std::fs::File::options().append(true).create(true).open(log);
        file.and_then(|mut file| writeln!(file, "{path}"))
            .expect("a log");
    }

    fn open(&self, call: &Call, tracee: &Tracee) -> Plan {
        let Ok(path) = tracee.read_path(call.args[1]) else {
            return Plan::Continue;
        };
        let path = String::from_utf8_lossy(&path).into_owned();
        self.log(&path);
        let Some(rest) = path.strip_prefix("/remote/") else {
            return Plan::Continue;
        };
        let Some((how, name)) = rest.split_once('/') else {
            return Plan::Continue;
        };
        let flags = OFlags::from_bits_retain(call.args[2] as u32);
        let target = self.folder.join(name);
        let open = move || {
            let mode = Mode::from_raw_mode(0o644);
            match rustix::fs::open(&target, flags | OFlags::CLOEXEC, mode) {
                Ok(fd) => Outcome {
                    value: Value::Fd {
                        fd,
                        cloexec: flags.contains(OFlags::CLOEXEC),
                    },
                    ..Outcome::default()
                },
                Err(errno) => Outcome::errno(errno.raw_os_error()),
            }
        };
        match how {
            "quick" => Plan::Done(open()),
            "crash" if self.generation == 0 => std::process::abort(),
            "crash" => Plan::Done(open()),
            "panic" => panic!("as the test wants"),
            "ask" => {
                let session = self.session.clone();
                Plan::Asking {
                    interrupt: Interrupt::AlwaysRestart,
                    work: Box::new(move |cancelled| {
                        let any = ([127, 0, 0, 1], 1).into();
                        let asked = session.ask(|ticket| FromSupervisor::Listen {
                            ticket,
                            pid: 0,
                            asked: any,
                            bound: any,
                        });
                        match asked.expect("a session").next(cancelled, Some(ASKS)) {
                            Err(NoAnswer::TimedOut) => open(),
                            other => panic!("{other:?}"),
                        }
                    }),
                }
            }
            wait => {
                let microseconds: i64 = wait.parse().expect("a number");
                Plan::Blocking {
                    interrupt: Interrupt::AlwaysRestart,
                    work: Box::new(move |cancelled| {
                        if sleep(microseconds, cancelled) {
                            open()
                        } else {
                            Outcome::errno(libc::EIO)
                        }
                    }),
                }
            }
        }
    }
}

/// Connects the caller's own socket after a while.
fn connect(call: &Call, tracee: &Tracee) -> Plan {
    let (Ok(socket), Ok(address)) = (
        tracee.dup_fd(call.args[0] as i32),
        tracee.read_array::<16>(call.args[1]),
    ) else {
        return Plan::Continue;
    };
    if u16::from_ne_bytes([address[0], address[1]]) != libc::AF_INET as u16 {
        return Plan::Continue;
    }
    let port = u16::from_be_bytes([address[2], address[3]]);
    let ip = std::net::Ipv4Addr::new(address[4], address[5], address[6], address[7]);
    Plan::Blocking {
        interrupt: Interrupt::BySignalFlags,
        work: Box::new(move |cancelled| {
            // As many milliseconds as the last number of the address says.
            if !sleep(i64::from(address[7]) * 1000, cancelled) {
                return Outcome::errno(libc::EINTR);
            }
            connected(&socket, std::net::SocketAddrV4::new(ip, port))
        }),
    }
}

/// Answers a question about one IPv4 address with another.
fn exchange(call: &Call, tracee: &Tracee, one: [u8; 4], other: [u8; 4]) -> Plan {
    let at = call.args[4];
    match tracee.read_array::<16>(at) {
        Ok(mut address) if call.args[1] == ADDRESS_ONLY && address[4..8] == one => {
            address[4..8].copy_from_slice(&other);
            Plan::Done(Outcome::number(16).write(at, address.to_vec()))
        }
        _ => Plan::Continue,
    }
}

fn connected(socket: &OwnedFd, to: std::net::SocketAddrV4) -> Outcome {
    match rustix::net::connect(socket.as_fd(), &to) {
        Ok(()) => Outcome::number(0),
        Err(errno) => Outcome::errno(errno.raw_os_error()),
    }
}

/// False when it was cancelled meanwhile.
fn sleep(microseconds: i64, cancelled: &Cancelled) -> bool {
    let timeout = Timespec {
        tv_sec: microseconds / 1_000_000,
        tv_nsec: microseconds % 1_000_000 * 1000,
    };
    let mut fds = [PollFd::from_borrowed_fd(cancelled.fd(), PollFlags::IN)];
    poll(&mut fds, Some(&timeout)) == Ok(0)
}
