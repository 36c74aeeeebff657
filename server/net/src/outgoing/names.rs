//! Name servers: one relay for each, shared by all sockets of the program that ask it.
//!
//! The C library opens a socket for each question. Where each had a relay of its own, a look-up
//! waited for the session before it could send; a relay that is there already needs no word with
//! anybody. Who may use it is in the [`PeerTable`](crate::peers::PeerTable): the supervisor enters
//! a socket's address and cookie before the socket is connected, and the kernel is asked with each
//! datagram whether that socket is the one at that address still, so neither another user's
//! datagram nor a late answer gets through.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mirrord_protocol::control::AddressPair;
use mirrord_protocol::local::{Loopback, Relay, Ticket};
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;
use tokio::time::{Instant, Sleep};

use super::Shared;
use super::meeting::mapped;
use super::readable;
use crate::peers::{Kind, relay_tag};
use crate::sockets::{self, Transport};

mod ahead;
mod any_question;
mod here;
mod line;
mod rules;
mod tcp;

pub(super) use ahead::SearchList;
use ahead::{Ahead, Taken};
pub use any_question::any_question;
use line::{Lines, deliver};
pub use rules::NameRules;
pub(super) use tcp::over_tcp;

/// The port of name servers.
pub(super) const NAME_SERVICE: u16 = 53;

/// No datagram is longer (udp(7)).
const LONGEST: usize = 65_535;

thread_local! {
    // One for all relays: a datagram is copied out before anything waits.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; LONGEST]);
}

/// The relays of a session, by name server and family.
#[derive(Default)]
pub(super) struct NameServers {
    relays: Mutex<HashMap<(SocketAddr, bool), Opened>>,
}

struct Opened {
    via: SocketAddr,
    task: AbortHandle,
}

/// What a relay's task and its lines share.
struct NameServer {
    shared: Arc<Shared>,
    to: SocketAddr,
    via: SocketAddr,
    /// Of the relay's entry in the table.
    tag: u64,
    /// For reading only: each datagram that the program took would wake us.
    socket: AsyncFd<UdpSocket>,
    ahead: Mutex<Ahead>,
}

/// A socket of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Client {
    address: SocketAddr,
    cookie: u64,
}

/// Answers with the relay to `to`, which is made when there is none.
pub(super) fn open(shared: &Arc<Shared>, ticket: Ticket, to: SocketAddr, loopback: Loopback) {
    let result = find_or_make(shared, ticket, to, loopback == Loopback::V6);
    let result = result
        .map(|via| Relay {
            via: match loopback {
                Loopback::Mapped => mapped(via),
                Loopback::V4 | Loopback::V6 => via,
            },
            local: None,
            peer: Some(to),
        })
        .map_err(|error| {
            tracing::warn!(%error, "could not make a relay to a name server (check the limit of open files)");
            error.raw_os_error().unwrap_or(libc::ENOBUFS)
        });
    shared.connected(ticket, result);
}

fn find_or_make(
    shared: &Arc<Shared>,
    ticket: Ticket,
    to: SocketAddr,
    ipv6: bool,
) -> io::Result<SocketAddr> {
    let mut relays = shared.name_servers.lock();
    if let Some(opened) = relays.get(&(to, ipv6)) {
        return Ok(opened.via);
    }
    let any: SocketAddr = if ipv6 {
        (Ipv6Addr::LOCALHOST, 0).into()
    } else {
        (Ipv4Addr::LOCALHOST, 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    let via = socket.local_addr()?;
    let socket = readable::register(socket)?;
    let server = Arc::new(NameServer {
        shared: shared.clone(),
        to,
        via,
        tag: relay_tag(ticket, via),
        socket,
        ahead: Mutex::default(),
    });
    let nowhere = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    server.announce(nowhere);
    let task = tokio::spawn(serve(server)).abort_handle();
    relays.insert((to, ipv6), Opened { via, task });
    Ok(via)
}

async fn serve(server: Arc<NameServer>) {
    let mut lines = Lines::of(&server);
    let mut alarm = Alarm::default();
    loop {
        alarm.set(&server);
        let readable = tokio::select! {
            readable = server.socket.readable() => readable,
            () = alarm.rings() => {
                for waited in server.ahead().overdue(Instant::now()) {
                    lines.send(waited.client, waited.question, Vec::new());
                }
                continue;
            }
        };
        let mut readable = match readable {
            Ok(readable) => readable,
            Err(error) => {
                tracing::warn!(%error, "could not wait for a relay to a name server");
                return;
            }
        };
        let received = readable.try_io(|socket| {
            SCRATCH.with_borrow_mut(|scratch| {
                let (size, from) = socket.get_ref().recv_from(scratch)?;
                Ok((scratch[..size].to_vec(), from))
            })
        });
        match received {
            Ok(Ok((payload, from))) => match server.client(from) {
                Some(client) => {
                    if !server.answered_here(client, &payload) {
                        server.ask(&mut lines, client, payload);
                    }
                }
                None => {
                    tracing::debug!(%from, "a datagram for a name server came from no program of this session");
                }
            },
            // An answer of ours found its socket closed (udp(7)).
            Ok(Err(error)) => tracing::debug!(%error, "could not read a relay to a name server"),
            // Nothing was there.
            Err(_) => {}
        }
    }
}

/// Rings when a question has waited too long for an answer that is on its way, or sooner: a timer
/// that is set wakes the event loop, so it is not set anew for each question.
#[derive(Default)]
struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    fn set(&mut self, server: &NameServer) {
        if self.sleep.is_none() {
            let deadline = server.ahead().deadline();
            self.sleep = deadline.map(|deadline| Box::pin(tokio::time::sleep_until(deadline)));
        }
    }

    async fn rings(&mut self) {
        match &mut self.sleep {
            Some(sleep) => sleep.await,
            None => std::future::pending().await,
        }
        self.sleep = None;
    }
}

impl NameServers {
    fn lock(&self) -> MutexGuard<'_, HashMap<(SocketAddr, bool), Opened>> {
        self.relays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all relays; they hold what this stands in.
    pub(super) fn end(&self) {
        for opened in self.lock().values() {
            opened.task.abort();
        }
    }
}

impl NameServer {
    /// Enters the relay into the table; `own` is the pod's end, once it is known.
    fn announce(&self, own: SocketAddr) {
        let pair = AddressPair {
            client: own,
            server: self.to,
        };
        self.shared
            .peers
            .enter(Kind::UdpRelay, self.via, pair, self.tag);
    }

    fn ahead(&self) -> MutexGuard<'_, Ahead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a question of the program from what was asked ahead, or lets it be asked.
    fn ask(&self, lines: &mut Lines, client: Client, question: Vec<u8>) {
        let now = Instant::now();
        let taken = self.ahead().take(client, &question, now);
        match taken {
            Taken::Answer(answer) => return deliver(self, Some(client), &answer),
            Taken::Waits => return,
            Taken::Unknown => {}
        }
        let next = self.next(&question);
        if !next.is_empty() {
            self.ahead().plan(&question, &next, now);
        }
        lines.send(client, question, next);
    }

    /// What the program asks after this question if there is no such name, as far as it is known.
    fn next(&self, question: &[u8]) -> Vec<Vec<u8>> {
        let list = self.shared.search_list.get();
        let Some(list) = list.filter(|list| list.is_for(self.to)) else {
            return Vec::new();
        };
        list.after(question, |name| {
            let rules = self.shared.name_rules.as_ref();
            rules.is_some_and(|rules| rules.keeps_here(name))
        })
    }

    /// Takes a question for this machine's resolver, if it is one.
    fn answered_here(self: &Arc<Self>, client: Client, payload: &[u8]) -> bool {
        let Some(rules) = &self.shared.name_rules else {
            return false;
        };
        let Some(question) = rules.is_for_here(payload) else {
            return false;
        };
        let Some(turn) = rules.turn() else {
            tracing::debug!("dropped a question: this machine's resolver is busy");
            return true;
        };
        let server = self.clone();
        tokio::spawn(async move {
            if let Some(answer) = question.answer(here::Over::Udp).await {
                deliver(&server, Some(client), &answer);
            }
            drop(turn);
        });
        true
    }

    /// The program's socket at this address, if there is one that may use this relay.
    fn client(&self, address: SocketAddr) -> Option<Client> {
        let (_, cookie) = self.shared.peers.find_tagged(Kind::NameClient, address)?;
        let client = Client { address, cookie };
        self.lives(client).then_some(client)
    }

    /// Whether this very socket is there still.
    fn lives(&self, client: Client) -> bool {
        match sockets::find(Transport::Udp, client.address, self.via) {
            Ok(found) => found.is_some_and(|found| found.cookie == client.cookie),
            Err(error) => {
                tracing::warn!(%error, "could not ask for a UDP socket (sock_diag); its datagrams are dropped");
                false
            }
        }
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.peers.remove(Kind::UdpRelay, self.via, self.tag);
    }
}
