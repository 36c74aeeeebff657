//! Stealing by packet filter rules, where BPF is refused: in a user namespace or on an old kernel.
//!
//! The rules live in a table that the kernel removes together with the netlink socket that made
//! it (kernel 5.12; before that a guard process does it), so a killed agent leaves nothing. New
//! connections are redirected to the agent's listeners; those that were there before stay with
//! the pod. Redirecting is address translation: it needs connection tracking for as long as it
//! is in use, and a connection that was taken stands only as long as the table.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use mirrord_protocol::control::AddressPair;
use rustix::net::sockopt;
use tokio::net::TcpStream;

use super::sys;
use super::taker::{Exemption, PortTaker};

mod guard;
mod message;
mod rules;

use guard::Guard;
use message::Socket;

/// On packets of connections that the agent passes on to the pod's own program ("mird").
const PASSED_ON_MARK: u32 = 0x6d69_7264;

/// Steals ports of the network namespace that the process is in.
pub(crate) struct Nftables {
    // Before the socket: it removes the table through it.
    _guard: Option<Guard>,
    socket: Mutex<Socket>,
    table: String,
    redirect_to: u16,
}

impl Nftables {
    /// Makes the table, with no port taken yet; `redirect_to` is the listeners' port.
    pub(crate) fn create(redirect_to: u16) -> io::Result<Nftables> {
        match Self::owned(redirect_to) {
            // EPERM would not get better; anything else may be the flag that is not known.
            Err(error) if error.raw_os_error() != Some(libc::EPERM) => Self::guarded(redirect_to),
            other => other,
        }
    }

    fn owned(redirect_to: u16) -> io::Result<Nftables> {
        let socket = Socket::open()?;
        let table = format!("mirrord-{}", socket.inode()?);
        socket.run(rules::create(
            &table,
            rules::OWNED,
            redirect_to,
            PASSED_ON_MARK,
        ))?;
        Ok(Nftables {
            _guard: None,
            socket: Mutex::new(socket),
            table,
            redirect_to,
        })
    }

    fn guarded(redirect_to: u16) -> io::Result<Nftables> {
        let socket = Socket::open()?;
        let table = format!("mirrord-{}", socket.inode()?);
        // The guard first: at no time are there rules that nobody would remove.
        let guard = Guard::start(&socket, rules::remove(&table))?;
        socket.run(rules::create(&table, 0, redirect_to, PASSED_ON_MARK))?;
        Ok(Nftables {
            _guard: Some(guard),
            socket: Mutex::new(socket),
            table,
            redirect_to,
        })
    }

    fn run(&self, batch: message::Batch) -> io::Result<()> {
        self.socket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .run(batch)
    }
}

impl PortTaker for Nftables {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn take(&self, port: u16) -> io::Result<()> {
        self.run(rules::take(&self.table, port))
    }

    fn give_back(&self, port: u16) -> io::Result<()> {
        self.run(rules::give_back(&self.table, port))
    }

    fn addresses(&self, connection: &TcpStream) -> io::Result<AddressPair> {
        let client = connection.peer_addr()?;
        // What the client called, from the connection tracking (SO_ORIGINAL_DST).
        let server: SocketAddr = if client.is_ipv4() {
            sockopt::ip_original_dst(connection)?.into()
        } else {
            sockopt::ipv6_original_dst(connection)?.into()
        };
        if server.port() == self.redirect_to {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("{client} called the agent's own port {server} directly"),
            ));
        }
        Ok(AddressPair { client, server })
    }

    fn exempt(&self, socket: BorrowedFd<'_>, _source: SocketAddr) -> io::Result<Exemption> {
        sys::set_mark(socket, PASSED_ON_MARK)?;
        Ok(Exemption::of_the_socket())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Nftables {
        /// As on a kernel before 5.12.
        pub(crate) fn create_guarded(redirect_to: u16) -> io::Result<Nftables> {
            Self::guarded(redirect_to)
        }
    }
}
