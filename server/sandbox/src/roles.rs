//! The hidden roles in which the calling binary makes up a sandbox. Each is a process of its own,
//! started by [`crate::start`] or by the pod's first process.

mod dns;
mod enter;
mod http_call;
mod init;
mod service;
mod sockets;
mod web;

use std::ffi::{OsStr, OsString};
use std::fmt;

use serde::{Deserialize, Serialize};

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Makes the namespaces and becomes the pod's first process.
    Init,
    /// The pod's own program, an HTTP service: the target.
    Web,
    /// The pod's name server.
    Dns,
    /// The service that only the pod reaches.
    Service,
    /// Enters a sandbox and runs a program there.
    Enter,
    /// Enters a sandbox's network and makes one HTTP call there.
    HttpCall,
}

const ALL: [Role; 6] = [
    Role::Init,
    Role::Web,
    Role::Dns,
    Role::Service,
    Role::Enter,
    Role::HttpCall,
];

impl Role {
    /// The first argument that asks for this role.
    pub fn argument(self) -> &'static str {
        match self {
            Role::Init => "sandbox-init",
            Role::Web => "sandbox-web",
            Role::Dns => "sandbox-dns",
            Role::Service => "sandbox-service",
            Role::Enter => "sandbox-enter",
            Role::HttpCall => "sandbox-http",
        }
    }

    /// The role that an argument asks for.
    pub fn from_argument(argument: &OsStr) -> Option<Role> {
        ALL.into_iter().find(|role| argument == role.argument())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.argument())
    }
}

/// Runs the role that the process's arguments (with the program's name) ask for and gives its exit
/// status; `None` when they ask for none. Call it first in `main`, while there is one thread.
pub fn run_role(arguments: impl IntoIterator<Item = OsString>) -> Option<i32> {
    let mut arguments = arguments.into_iter().skip(1);
    let role = Role::from_argument(&arguments.next()?)?;
    let arguments: Vec<OsString> = arguments.collect();
    let result = match role {
        Role::Init => init::run(&arguments),
        Role::Web => web::run(),
        Role::Dns => dns::run(),
        Role::Service => service::run(),
        Role::Enter => enter::run(&arguments),
        Role::HttpCall => http_call::run(&arguments),
    };
    Some(result.unwrap_or_else(|error| {
        eprintln!("{role}: {error:#}");
        EXIT_FAILED
    }))
}

/// The exit status of a role that could not do its work (as `env`, `nohup` and shells use it for
/// trouble of their own).
pub(crate) const EXIT_FAILED: i32 = 125;
