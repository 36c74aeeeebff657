//! `sandbox-enter FOLDER PLACE -- PROGRAM ARGUMENT…`: runs a program at a place of a sandbox and
//! ends as it ends.
//!
//! Inside the pod it has the target's place: all namespaces, root folder, environment, working
//! directory and ids. A pid namespace only counts for children, so there this process stays
//! outside as the program's parent, passes signals on and takes the program along when it ends.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Signal;
use rustix::thread::{
    LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space, move_into_thread_name_spaces,
};

use super::init::become_user;
use crate::info::SandboxInfo;
use crate::sandbox::Place;
use crate::spec::RunAs;
use crate::{fork, process, signals, start};

/// Signals that are meant for the program.
const PASSED_ON: [libc::c_int; 7] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGWINCH,
];
// As shells and env(1) have them.
const EXIT_CANNOT_RUN: i32 = 126;
const EXIT_NOT_FOUND: i32 = 127;

pub(super) fn run(arguments: &[OsString]) -> Result<i32> {
    let [folder, place, separator, argv @ ..] = arguments else {
        bail!("too few arguments")
    };
    let [program, arguments @ ..] = argv else {
        bail!("no program was given to run in the sandbox")
    };
    if separator != "--" {
        bail!("expected `--` before the program");
    }
    let place = place
        .to_string_lossy()
        .parse()
        .map_err(anyhow::Error::msg)?;
    let sandbox = Entrance::open(Path::new(folder))?;
    match place {
        Place::Pod => sandbox.run_in_pod(program, arguments),
        Place::Agent | Place::Client | Place::Service | Place::PodNetwork => {
            sandbox.enter_network(place)?;
            let error = Command::new(program).args(arguments).exec();
            Ok(cannot_run(program, &error))
        }
    }
}

fn cannot_run(program: &OsStr, error: &std::io::Error) -> i32 {
    eprintln!("sandbox: could not run {}: {error}", program.display());
    if error.kind() == ErrorKind::NotFound {
        EXIT_NOT_FOUND
    } else {
        EXIT_CANNOT_RUN
    }
}

/// A living sandbox in whose user namespace this process is.
pub(super) struct Entrance {
    info: SandboxInfo,
    init: OwnedFd,
}

impl Entrance {
    /// Finds the sandbox of a folder and enters its user namespace, if it has one: all rights over
    /// the other namespaces come from that.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        let info = fs::read(folder.join(start::INFO_FILE))
            .with_context(|| format!("there is no sandbox in {}", folder.display()))?;
        let info: SandboxInfo =
            serde_json::from_slice(&info).context("could not understand info.json")?;
        let init = process::open(info.init_pid, info.init_started)?;
        let init = init
            .ok_or_else(|| anyhow!("sandbox {} is dead: its first process is gone", info.name))?;
        if info.user_namespace && !same_user_namespace(info.init_pid)? {
            let refused = || {
                format!(
                    "could not enter the user namespace of sandbox {}",
                    info.name
                )
            };
            move_into_thread_name_spaces(init.as_fd(), ThreadNameSpaceType::USER)
                .with_context(refused)?;
        }
        Ok(Entrance { info, init })
    }

    /// Enters the network namespace of a place and nothing else.
    pub(super) fn enter_network(&self, place: Place) -> Result<()> {
        let path = match place {
            Place::Agent => return Ok(()),
            Place::Client => self.info.client_namespace.clone(),
            Place::Service => self.info.service_namespace.clone(),
            Place::Pod | Place::PodNetwork => format!("/proc/{}/ns/net", self.info.init_pid).into(),
        };
        let told = || {
            format!(
                "could not enter the {place} network of sandbox {}",
                self.info.name
            )
        };
        let namespace = File::open(path).with_context(told)?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .with_context(told)
    }

    fn run_in_pod(&self, program: &OsStr, arguments: &[OsString]) -> Result<i32> {
        let info = &self.info;
        if !process::lives(info.target_pid, info.target_started) {
            bail!(
                "the target process of sandbox {} is gone; start the sandbox anew",
                info.name
            );
        }
        let target = Target::read(info.target_pid).with_context(|| {
            format!(
                "could not read the target process {} of the sandbox",
                info.target_pid
            )
        })?;
        let all = ThreadNameSpaceType::MOUNT
            | ThreadNameSpaceType::NETWORK
            | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
            | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
            | ThreadNameSpaceType::PROCESS_ID;
        move_into_thread_name_spaces(self.init.as_fd(), all)
            .with_context(|| format!("could not enter the namespaces of sandbox {}", info.name))?;
        let mut taken = PASSED_ON.to_vec();
        taken.extend([libc::SIGCHLD, libc::SIGTSTP]);
        let signals = signals::take(&taken)?;
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(target.environment);
        let (directory, ids, keep_groups) = (target.directory, target.ids, target.keep_groups);
        fork::before_exec(&mut command, move || {
            signals::unblock_all()?;
            rustix::process::fchdir(&directory)?;
            // In a user namespace of an ordinary user there are no other ids and no setgroups(2).
            if !keep_groups {
                become_user(&ids)?;
            }
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            Ok(())
        });
        match command.spawn() {
            Ok(child) => attend(child, &signals),
            Err(error) => Ok(cannot_run(program, &error)),
        }
    }
}

/// Waits for the program's end and ends like it.
fn attend(mut child: Child, signals: &OwnedFd) -> Result<i32> {
    let pid = rustix::process::Pid::from_child(&child);
    loop {
        if let Some(status) = child.try_wait()? {
            return match (status.code(), status.signal()) {
                (Some(code), _) => Ok(code),
                (None, Some(signal)) => signals::end_by(signal),
                (None, None) => bail!("the program ended with {status}"),
            };
        }
        let arrived = signals::next(signals)?;
        match arrived.number {
            libc::SIGCHLD => {}
            // The terminal stops the program itself; we stop with it for the shell to see.
            libc::SIGTSTP => {
                rustix::process::kill_process(rustix::process::getpid(), Signal::STOP)?
            }
            // The terminal's own signals reach the program without us.
            number if arrived.by_process => {
                if let Some(signal) = Signal::from_named_raw(number)
                    && let Err(error) = rustix::process::kill_process(pid, signal)
                    && error != rustix::io::Errno::SRCH
                {
                    return Err(error).context("could not pass a signal on to the program");
                }
            }
            _ => {}
        }
    }
}

/// What of the target a program in its place has.
struct Target {
    environment: Vec<(OsString, OsString)>,
    directory: OwnedFd,
    ids: RunAs,
    keep_groups: bool,
}

impl Target {
    /// Reads it from this machine's `/proc`. The ids come out as the user namespace names them that
    /// this process is in by now (proc_pid_status(5)).
    fn read(pid: u32) -> Result<Target> {
        let environ = fs::read(format!("/proc/{pid}/environ"))?;
        let environment = environ.split(|&byte| byte == 0).filter_map(|entry| {
            let equals = entry.iter().skip(1).position(|&byte| byte == b'=')? + 1;
            let (name, value) = (&entry[..equals], &entry[equals + 1..]);
            Some((
                OsStr::from_bytes(name).to_owned(),
                OsStr::from_bytes(value).to_owned(),
            ))
        });
        let directory = rustix::fs::open(
            format!("/proc/{pid}/cwd"),
            rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let numbers = |key: &str| -> Result<Vec<u32>> {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let line = line.ok_or_else(|| anyhow!("/proc/{pid}/status has no {key}"))?;
            Ok(line
                .split_ascii_whitespace()
                .map(str::parse)
                .collect::<Result<_, _>>()?)
        };
        let first = |key| {
            numbers(key)?
                .first()
                .copied()
                .ok_or_else(|| anyhow!("{key} is empty"))
        };
        let ids = RunAs {
            uid: first("Uid:")?,
            gid: first("Gid:")?,
            groups: numbers("Groups:")?,
        };
        let setgroups = fs::read_to_string("/proc/self/setgroups").unwrap_or_default();
        Ok(Target {
            environment: environment.collect(),
            directory,
            ids,
            keep_groups: setgroups.trim() == "deny",
        })
    }
}

fn same_user_namespace(pid: u32) -> Result<bool> {
    let ours =
        fs::read_link("/proc/self/ns/user").context("could not look at our user namespace")?;
    let theirs =
        fs::read_link(format!("/proc/{pid}/ns/user")).context("could not look at the sandbox's")?;
    Ok(ours == theirs)
}
