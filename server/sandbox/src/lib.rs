//! A *sandbox*: a small pod made of namespaces on this machine, with its own files, environment,
//! network, name server and a service that only it reaches. It needs no root where the kernel
//! allows user namespaces, and is what trying, the demo and the tests run against.
//!
//! [`Sandboxes`] starts, lists and ends them; [`Sandbox`] runs programs inside one. A sandbox is
//! made of processes of the calling binary in hidden roles, so that binary's `main` must call
//! [`run_role`] before anything else, while it has one thread.

pub mod addresses;
pub mod demo;
mod error;
mod fork;
mod http;
mod info;
mod netlink;
mod pod;
mod process;
mod refusal;
mod report;
mod roles;
mod sandbox;
mod signals;
mod spec;
mod start;
mod store;

pub use error::SandboxError;
pub use http::{HttpAnswer, HttpCall};
pub use info::{DnsName, SandboxInfo, Service, ServiceProtocol, State};
pub use pod::data::write_in as write_data;
pub use roles::{Role, run_role};
pub use sandbox::{DownOnDrop, Place, Sandbox};
pub use spec::{Bind, ExtraFile, Isolation, RunAs, SandboxSpec};
pub use store::Sandboxes;
