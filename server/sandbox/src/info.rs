//! What a running sandbox is: written to its folder when it is ready, shown by `sandbox list
//! --json`, and read by everything that works with a sandbox.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A started sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxInfo {
    /// Its name.
    pub name: String,
    /// The pod's host name.
    pub pod_name: String,
    /// The target: the process to run programs in the place of.
    pub target_pid: u32,
    /// When the target started, in clock ticks since boot (a pid can come again, this cannot).
    pub target_started: u64,
    /// The pod's first process; it ends the sandbox.
    pub init_pid: u32,
    /// When that started.
    pub init_started: u64,
    /// The process of the service that only the pod reaches.
    pub service_pid: u32,
    /// The pod's name server.
    pub dns_pid: u32,
    /// Whether it has a user namespace of its own.
    pub user_namespace: bool,
    /// Whether IPv6 works in it.
    pub ipv6: bool,
    /// The pod's root folder as seen from this machine.
    pub root: PathBuf,
    /// Network namespace of the outside client.
    pub client_namespace: PathBuf,
    /// Network namespace of the service that only the pod reaches.
    pub service_namespace: PathBuf,
    /// The services that are there.
    pub services: Vec<Service>,
    /// The names that only the pod knows.
    pub dns_names: Vec<DnsName>,
    /// When it was started, in milliseconds since 1970.
    pub created: u64,
}

/// Something to call in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its name: `web` is the pod's own.
    pub name: String,
    /// What it speaks.
    pub protocol: ServiceProtocol,
    /// Where it is; loopback is not listed.
    pub addresses: Vec<IpAddr>,
    /// Its port.
    pub port: u16,
}

/// What a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceProtocol {
    /// HTTP/1.1.
    Http,
    /// TCP, every byte comes back.
    TcpEcho,
    /// UDP, every datagram comes back.
    UdpEcho,
    /// DNS over UDP and TCP.
    Dns,
}

/// A name and its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsName {
    /// The full name.
    pub name: String,
    /// IPv4 and IPv6 addresses.
    pub addresses: Vec<IpAddr>,
}

/// How a sandbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Everything is there.
    Running,
    /// The pod is there, its target process is not.
    TargetGone,
    /// Its first process was killed, and everything in it with that.
    Dead,
}

impl SandboxInfo {
    /// When it was started.
    pub fn created(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.created)
    }

    /// How it is now.
    pub fn state(&self) -> State {
        if !crate::process::lives(self.init_pid, self.init_started) {
            State::Dead
        } else if !crate::process::lives(self.target_pid, self.target_started) {
            State::TargetGone
        } else {
            State::Running
        }
    }
}
