//! One relay socket: stands on loopback for one peer in the pod's network.

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use mirrord_protocol::control::AddressPair;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::association::Input;
use crate::outgoing::readable;
use crate::peers::{Kind, PeerTable};

/// No datagram is longer (udp(7)).
const LONGEST: usize = 65_535;

thread_local! {
    // One for all relays: a datagram is copied out before anything waits.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; LONGEST]);
}

/// A relay socket; its entry in the table and its task go with it.
pub(super) struct RelaySocket {
    /// For reading only: each datagram that the program took would wake us.
    socket: Arc<AsyncFd<UdpSocket>>,
    pub(super) via: SocketAddr,
    peers: Arc<PeerTable>,
    tag: u64,
    reader: AbortHandle,
}

impl RelaySocket {
    /// Binds one for `peer`, takes datagrams from `program` only, and hands them to `input_tx`.
    pub(super) fn open(
        peers: Arc<PeerTable>,
        program: SocketAddr,
        peer: SocketAddr,
        input_tx: mpsc::Sender<Input>,
    ) -> io::Result<Self> {
        let any: SocketAddr = match program {
            SocketAddr::V4(_) => (Ipv4Addr::LOCALHOST, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::LOCALHOST, 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.set_nonblocking(true)?;
        socket.connect(program)?;
        let via = socket.local_addr()?;
        let socket = Arc::new(readable::register(socket)?);
        let reader = tokio::spawn(read(socket.clone(), peer, input_tx)).abort_handle();
        Ok(RelaySocket {
            socket,
            via,
            peers,
            tag: 0,
            reader,
        })
    }

    /// Hands a datagram to the program.
    pub(super) fn send(&self, payload: &[u8]) -> io::Result<usize> {
        self.socket.get_ref().send(payload)
    }

    /// Enters the relay into the table, before the program can hear of its address.
    pub(super) fn announce(&mut self, peer: SocketAddr, tag: u64) {
        self.tag = tag;
        let nowhere = match peer {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let pair = AddressPair {
            client: nowhere,
            server: peer,
        };
        self.peers.enter(Kind::UdpRelay, self.via, pair, tag);
    }
}

impl Drop for RelaySocket {
    fn drop(&mut self) {
        self.reader.abort();
        self.peers.remove(Kind::UdpRelay, self.via, self.tag);
    }
}

async fn read(socket: Arc<AsyncFd<UdpSocket>>, to: SocketAddr, input_tx: mpsc::Sender<Input>) {
    loop {
        let mut readable = match socket.readable().await {
            Ok(readable) => readable,
            Err(error) => {
                tracing::warn!(%error, "could not wait for a UDP relay");
                return;
            }
        };
        let received = readable.try_io(|socket| {
            SCRATCH.with_borrow_mut(|scratch| {
                let size = socket.get_ref().recv(scratch)?;
                Ok(scratch[..size].to_vec())
            })
        });
        let input = match received {
            Ok(Ok(payload)) => Input::FromProgram { to, payload },
            Ok(Err(error)) if error.raw_os_error() == Some(libc::ECONNREFUSED) => {
                Input::NobodyThere
            }
            Ok(Err(error)) => {
                tracing::debug!(%error, "could not read a UDP relay");
                continue;
            }
            // Nothing was there.
            Err(_) => continue,
        };
        if input_tx.send(input).await.is_err() {
            return;
        }
    }
}
