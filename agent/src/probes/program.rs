//! Probes that are programs (`exec`): the kubelet has one started in a container, and what it calls in
//! the pod is the pod's own program, although the port is stolen.
//!
//! A connection from inside of the pod has both ends in the pod's network namespace, so the kernel
//! tells the number of the client's socket (sock_diag(7)), `/proc` whose it is, and the arguments of
//! that process and of those that it descends from whether a probe's program is among them. Others that
//! call from inside of the pod, a sidecar say, are clients like any.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mirrord_protocol::control::AddressPair;
use mirrord_sock_diag::{Kernel, Transport};

use crate::process;

/// Shells, whose script may be one program that takes the shell's place.
const SHELLS: [&str; 5] = ["sh", "bash", "ash", "dash", "busybox"];

/// The programs.
pub(super) struct Programs {
    commands: Vec<Vec<String>>,
    kernel: Mutex<Kernel>,
    network: Option<PathBuf>,
}

impl Programs {
    /// By their arguments; in the pod's network namespace. `None`: there is no such probe.
    pub(super) fn of(commands: &[Vec<String>]) -> io::Result<Option<Programs>> {
        if commands.is_empty() {
            return Ok(None);
        }
        let kernel = Kernel::open()?;
        kernel.check()?;
        Ok(Some(Programs {
            commands: commands.to_vec(),
            kernel: Mutex::new(kernel),
            network: process::network("self"),
        }))
    }

    /// Whether one of them is the client. For a client from elsewhere that is one question to the
    /// kernel, without a change of threads.
    pub(super) async fn call(self: &Arc<Self>, addresses: AddressPair) -> bool {
        let Some(inode) = self.inode(addresses) else {
            return false;
        };
        let programs = Arc::clone(self);
        // It reads in /proc.
        let asked = tokio::task::spawn_blocking(move || programs.have(inode)).await;
        asked.unwrap_or(false)
    }

    /// The number of the client's socket, when a process of the pod has it.
    fn inode(&self, AddressPair { client, server }: AddressPair) -> Option<u32> {
        let found = {
            let kernel = self.kernel.lock().unwrap_or_else(PoisonError::into_inner);
            kernel.find(Transport::Tcp, client, server)
        };
        match found {
            Ok(Some(found)) if !found.listens && found.inode != 0 => Some(found.inode),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!("could not ask for a socket of the pod: {error}");
                None
            }
        }
    }

    /// Whether the socket is of one of them.
    fn have(&self, inode: u32) -> bool {
        let mut in_pod = process::all().filter(|pid| process::network(pid) == self.network);
        in_pod
            .find(|pid| process::has_socket(*pid, inode))
            .is_some_and(|owner| self.begins_at(owner))
    }

    /// Whether the process, or one that it descends from, is one of them.
    fn begins_at(&self, mut pid: i32) -> bool {
        loop {
            let arguments = process::arguments(pid);
            if self.commands.iter().any(|command| is(command, &arguments)) {
                return true;
            }
            match process::parent(pid) {
                Some(parent) if parent > 1 => pid = parent,
                _ => return false,
            }
        }
    }
}

/// Whether a process with these arguments is the probe's program: the same arguments, or what the
/// probe's script starts last, for a shell is replaced by that.
fn is(command: &[String], arguments: &[String]) -> bool {
    if command == arguments {
        return true;
    }
    let (Some(first), Some(script)) = (command.first(), command.last()) else {
        return false;
    };
    let name = Path::new(first).file_name().and_then(OsStr::to_str);
    let is_script = name.is_some_and(|name| SHELLS.contains(&name))
        && command
            .iter()
            .any(|word| word.starts_with('-') && word.ends_with('c'));
    let started: String = arguments.join(" ");
    let plain: String = script
        .chars()
        .filter(|c| !matches!(c, '\'' | '"'))
        .collect();
    is_script && !started.is_empty() && plain.contains(&started)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::process::{Command, Stdio};

    use super::*;

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_probes_program_is_known_also_when_its_shell_is_gone() {
        let plain = words(&["curl", "-f", "localhost"]);
        assert!(is(&plain, &plain));
        assert!(!is(&plain, &words(&["curl", "localhost"])));
        let script = words(&["/bin/sh", "-ec", "exec curl -f 'localhost'"]);
        assert!(is(&script, &script));
        assert!(is(&script, &plain));
        assert!(!is(&script, &words(&["curl", "-f", "elsewhere"])));
        assert!(!is(&script, &[]));
        // Not a shell: its last word is no script.
        assert!(!is(&words(&["check", "-c", "curl -f localhost"]), &plain));
    }

    /// Whether a client that a shell has forked is one of `commands`, which are told the shell's script;
    /// and whether it still is when it is gone.
    async fn called(commands: impl Fn(&str) -> Vec<Vec<String>>) -> (bool, bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let port = server.port();
        let script = format!("(exec 3<>/dev/tcp/127.0.0.1/{port}; echo >&3; cat); true");
        let mut shell = Command::new("bash")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut accepted, client) = listener.accept().unwrap();
        accepted.read_exact(&mut [0]).unwrap();
        let programs = Arc::new(Programs::of(&commands(&script)).unwrap().unwrap());
        let addresses = AddressPair { client, server };
        let while_it_runs = programs.call(addresses).await;
        drop(shell.stdin.take());
        shell.wait().unwrap();
        (while_it_runs, programs.call(addresses).await)
    }

    #[tokio::test]
    async fn a_connection_is_the_probes_when_its_process_descends_from_it() {
        let probe = called(|script| vec![words(&["other"]), words(&["bash", "-c", script])]);
        assert_eq!(probe.await, (true, false));
        let other = called(|_| vec![words(&["other"])]);
        assert_eq!(other.await, (false, false));
    }
}
