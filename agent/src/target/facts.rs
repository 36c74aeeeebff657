//! What `/proc` and the target's UTS namespace tell about it.

use std::{
    io::Read,
    os::fd::{AsFd, OwnedFd},
};

use mirrord_protocol::{control::TargetFacts, creds::Creds};
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    fs::{Mode, OFlags},
    io::Errno,
    thread::LinkNameSpaceType,
};

use super::TargetError;
use crate::{environment, files::kernel};

/// Reads everything there is to tell, and the effective capabilities.
pub(super) fn read(
    pid: i32,
    process: &OwnedFd,
    host_names: Option<OwnedFd>,
) -> Result<(TargetFacts, u64), TargetError> {
    let status = read_file(pid, process, "status")?;
    let (creds, capabilities) =
        parse_status(&String::from_utf8_lossy(&status)).ok_or(TargetError::Failed {
            pid,
            what: "understand /proc/PID/status",
            errno: Errno::INVAL,
        })?;
    let working_directory = rustix::fs::readlinkat(process, "cwd", Vec::new())
        .map_err(|errno| TargetError::new(pid, "read the working directory", errno))?;
    let facts = TargetFacts {
        environment: environment::parse(&read_environment(pid, process, creds.uid)?),
        creds,
        hostname: hostname(pid, host_names)?,
        working_directory: working_directory.to_string_lossy().into_owned(),
        search: Vec::new(),
    };
    Ok((facts, capabilities))
}

/// Whether the process behind a pidfd has ended.
pub(super) fn has_ended(pidfd: &OwnedFd) -> Result<bool, TargetError> {
    let mut polled = [PollFd::new(pidfd, PollFlags::IN)];
    rustix::event::poll(&mut polled, Some(&Timespec::default()))
        .map(|ready| ready > 0)
        .map_err(|errno| TargetError::new(0, "poll(2) a pidfd", errno))
}

/// The file is its user's alone, and an agent in a cluster is a root that may not read others' files
/// (it lacks `CAP_DAC_READ_SEARCH`): there it is read as that user, by a thread of its own.
fn read_environment(pid: i32, process: &OwnedFd, uid: u32) -> Result<Vec<u8>, TargetError> {
    match read_file(pid, process, "environ") {
        Err(TargetError::NoPermission { .. }) => {}
        read => return read,
    }
    let as_user = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            kernel::set_fs_uid(uid).map_err(|error| {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::PERM);
                TargetError::new(
                    pid,
                    "take the user (setfsuid(2)) to read the environment",
                    errno,
                )
            })?;
            read_file(pid, process, "environ")
        });
        reading.join()
    });
    as_user.unwrap_or(Err(TargetError::Failed {
        pid,
        what: "read the environment",
        errno: Errno::IO,
    }))
}

fn read_file(pid: i32, process: impl AsFd, name: &'static str) -> Result<Vec<u8>, TargetError> {
    let what = match name {
        "environ" => "read the environment",
        _ => "read the status",
    };
    let failed = |errno| TargetError::new(pid, what, errno);
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::openat(process, name, flags, Mode::empty()).map_err(failed)?;
    let mut bytes = Vec::new();
    std::fs::File::from(file)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
    Ok(bytes)
}

/// File-system ids are the fourth number of `Uid:` and `Gid:` (proc_pid_status(5)).
pub(super) fn parse_status(text: &str) -> Option<(Creds, u64)> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let fourth = |name| field(name)?.split_whitespace().nth(3)?.parse().ok();
    let groups = field("Groups:")?
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>();
    let capabilities = u64::from_str_radix(field("CapEff:")?.trim(), 16).ok()?;
    let creds = Creds {
        uid: fourth("Uid:")?,
        gid: fourth("Gid:")?,
        groups: groups.ok()?,
    };
    Some((creds, capabilities))
}

/// Asks on a thread of its own, which alone enters the target's UTS namespace (`None`: the one
/// that we are in) and then ends.
fn hostname(pid: i32, host_names: Option<OwnedFd>) -> Result<String, TargetError> {
    let asked = std::thread::spawn(move || {
        if let Some(namespace) = host_names {
            let kind = Some(LinkNameSpaceType::HostNameAndNISDomainName);
            rustix::thread::move_into_link_name_space(namespace.as_fd(), kind)?;
        }
        let names = rustix::system::uname();
        Ok(names.nodename().to_string_lossy().into_owned())
    });
    asked
        .join()
        .unwrap_or(Err(Errno::IO))
        .map_err(|errno| TargetError::new(pid, "read the host name (setns(2), uname(2))", errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_system_ids_are_the_fourth_of_the_four() {
        let text = "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \nCapEff:\t00ff\n";
        let (creds, capabilities) = parse_status(text).unwrap();
        assert_eq!((creds.uid, creds.gid, creds.groups), (4, 8, vec![9, 10]));
        assert_eq!(capabilities, 0xff);
        assert!(parse_status("Uid:\t1\n").is_none());
    }

    #[test]
    fn no_groups_is_an_empty_list() {
        let text = "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t \nCapEff:\t0\n";
        assert_eq!(parse_status(text).unwrap().0.groups, Vec::<u32>::new());
    }
}
