//! Leaves this machine's namespaces for the pod's own.

use std::fs;
use std::io::{Read, Write};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{getgid, getuid};
use rustix::thread::{CapabilitySet, UnshareFlags};

use crate::fork::{fork, unshare};
use crate::refusal;
use crate::spec::Isolation;

/// Enters new namespaces of every kind; the pid namespace begins with the next child. Says
/// whether there is a user namespace among them.
pub(crate) fn enter(isolation: Isolation) -> Result<bool> {
    let root = getuid().is_root();
    let may_mount = rustix::thread::capabilities(None)
        .context("could not read the capabilities of this process")?
        .effective
        .contains(CapabilitySet::SYS_ADMIN);
    let user_namespace = match isolation {
        Isolation::Auto => !may_mount,
        Isolation::UserNamespace => true,
        Isolation::Plain if may_mount => false,
        Isolation::Plain => bail!(
            "a sandbox without a user namespace needs root with CAP_SYS_ADMIN; start it as root, or leave \
             the choice to it"
        ),
    };
    if user_namespace {
        enter_user_namespace(root)?;
    }
    let flags = UnshareFlags::NEWNS
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWPID;
    match unshare(flags) {
        Ok(()) => Ok(user_namespace),
        // Ubuntu's AppArmor lets the user namespace be made, but without capabilities in it.
        Err(error) if user_namespace => Err(anyhow!(refusal::of_user_namespaces(&error))),
        Err(error) => Err(error).context("could not make the pod's namespaces (unshare)"),
    }
}

fn enter_user_namespace(root: bool) -> Result<()> {
    let refused = |error: &dyn std::fmt::Display| anyhow!(refusal::of_user_namespaces(error));
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    if root {
        // More than one id can be mapped only from the parent namespace (user_namespaces(7)).
        return map_from_outside().context("could not make a user namespace as root");
    }
    unshare(UnshareFlags::NEWUSER).map_err(|error| refused(&error))?;
    // An ordinary user may map its own ids only, and its group only without setgroups(2).
    let map = |file: &str, text: String| {
        fs::write(file, text)
            .map_err(|error| refused(&format!("{file} could not be written: {error}")))
    };
    map("/proc/self/setgroups", "deny".to_owned())?;
    map("/proc/self/uid_map", format!("0 {uid} 1\n"))?;
    map("/proc/self/gid_map", format!("0 {gid} 1\n"))
}

/// Makes a user namespace whose ids a child writes that stays outside.
fn map_from_outside() -> Result<()> {
    let (mut waits, mut starts) = std::io::pipe()?;
    let ours = rustix::process::getpid();
    let Some(child) = fork()? else {
        drop(starts);
        let mut word = [0];
        let map = |kind: &str| {
            let ours_now = fs::read_to_string(format!("/proc/self/{kind}"))?;
            fs::write(
                format!("/proc/{}/{kind}", ours.as_raw_nonzero()),
                same_ids(&ours_now),
            )
        };
        let mapped = waits
            .read_exact(&mut word)
            .and_then(|()| map("uid_map").and_then(|()| map("gid_map")));
        if let Err(error) = &mapped {
            eprintln!("could not map the ids: {error}");
        }
        std::process::exit(i32::from(mapped.is_err()));
    };
    drop(waits);
    let unshared = unshare(UnshareFlags::NEWUSER);
    if unshared.is_ok() {
        starts.write_all(b"x")?;
    }
    drop(starts);
    let status = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty())?;
    unshared.map_err(|error| anyhow!(refusal::of_user_namespaces(&error)))?;
    match status {
        Some((_, status)) if status.exit_status() == Some(0) => Ok(()),
        _ => bail!("its ids could not be mapped"),
    }
}

/// A map under which every id that a namespace with the given map has stays what it is: the pod of
/// root may have files and processes of other users.
fn same_ids(map: &str) -> String {
    let ranges = map.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (first, _, count) = (fields.next()?, fields.next()?, fields.next()?);
        Some(format!("{first} {first} {count}\n"))
    });
    ranges.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_of_ours_stays_the_same() {
        assert_eq!(
            same_ids("         0          0 4294967295\n"),
            "0 0 4294967295\n"
        );
        assert_eq!(same_ids("0 1000 1\n1 100000 65536\n"), "0 0 1\n1 1 65536\n");
    }
}
