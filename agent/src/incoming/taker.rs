//! What can take a pod's ports: one trait, and the choice of who does it here.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use mirrord_protocol::control::AddressPair;
use tokio::net::TcpStream;

use super::listeners::Listeners;
use super::nftables::Nftables;
use super::sk_lookup::SkLookup;

/// Turns new TCP connections for chosen ports to the agent's listeners.
///
/// Dropping the taker gives every port back, and so does the end of the process by any cause.
pub(crate) trait PortTaker: Send + Sync {
    /// What the user is told: `sk_lookup` or `nftables`.
    fn name(&self) -> &'static str;

    /// Takes a port, on all addresses and in both families.
    fn take(&self, port: u16) -> io::Result<()>;

    /// Gives a port back; connections that were taken stand.
    fn give_back(&self, port: u16) -> io::Result<()>;

    /// The real addresses of a connection that was accepted on the agent's listeners.
    fn addresses(&self, connection: &TcpStream) -> io::Result<AddressPair>;

    /// Lets a socket that is bound to `source` and not yet connected reach the pod's own program
    /// on a taken port, for as long as the returned value is kept.
    fn exempt(&self, socket: BorrowedFd<'_>, source: SocketAddr) -> io::Result<Exemption>;
}

/// Keeps a passed-on connection from being taken again; hold it as long as the connection.
pub(crate) struct Exemption {
    _entry: Option<Box<dyn Send + Sync>>,
}

impl Exemption {
    /// One that ends by dropping `entry`.
    pub(crate) fn until_dropped(entry: impl Send + Sync + 'static) -> Exemption {
        Exemption {
            _entry: Some(Box::new(entry)),
        }
    }

    /// One that is a property of the socket itself.
    pub(crate) fn of_the_socket() -> Exemption {
        Exemption { _entry: None }
    }
}

/// A taker and the listeners that it turns connections to.
pub(crate) struct Taken {
    /// Who does it.
    pub(crate) taker: Arc<dyn PortTaker>,
    /// Where the connections arrive.
    pub(crate) listeners: Listeners,
}

/// Tries what this kernel and these rights allow, best first.
pub(crate) fn choose() -> io::Result<Taken> {
    let by_bpf = match sk_lookup() {
        Ok(taken) => return Ok(taken),
        Err(error) => error,
    };
    tracing::info!("sk_lookup cannot be used here ({by_bpf}); trying nftables");
    nftables().map_err(|by_rules| {
        io::Error::new(
            by_rules.kind(),
            format!(
                "no way to take a port: a BPF sk_lookup program was refused ({by_bpf}) and so \
                 were nftables rules ({by_rules}). One of them is needed: kernel 5.9 with \
                 CAP_BPF and CAP_NET_ADMIN (root outside of user namespaces), or nf_tables in \
                 the kernel with CAP_NET_ADMIN in the target's network namespace. Mirroring \
                 needs CAP_NET_RAW only"
            ),
        )
    })
}

/// Stealing by a BPF program.
pub(crate) fn sk_lookup() -> io::Result<Taken> {
    let listeners = Listeners::on_loopback()?;
    let taker = Arc::new(SkLookup::attach(&listeners)?);
    Ok(Taken { taker, listeners })
}

/// Stealing by packet filter rules.
pub(crate) fn nftables() -> io::Result<Taken> {
    let listeners = Listeners::on_any_address()?;
    let taker = Arc::new(Nftables::create(listeners.port()?)?);
    Ok(Taken { taker, listeners })
}
