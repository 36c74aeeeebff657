//! TCP connects that go to the pod.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use mirrord_net::peers::{Kind, relay_tag};
use mirrord_protocol::{
    control::AddressPair,
    event::Place,
    local::{FromSupervisor, Loopback, Outgoing, Relay, Ticket, ToSupervisor},
};
use rustix::{io::Errno, net::sockopt};

use super::{State, address::fails, raw, socket::Socket};
use crate::{
    call::{Call, Cancelled, Interrupt, Outcome, Plan},
    session_link::{Answers, NoAnswer},
};

mod detached;

pub(super) use detached::plan_again;

/// The session's listeners answer within this machine; more means that a blocking socket was
/// connected to an address that stays pending.
const LOCAL: Duration = Duration::from_millis(200);

/// How long the session may take for an answer that needs no network.
const AT_ONCE: Duration = Duration::from_secs(5);

/// One connect on its way to the pod.
struct Connect {
    state: Arc<State>,
    socket: Socket,
    pid: i32,
    to: SocketAddr,
    loopback: Loopback,
    rule: &'static str,
}

pub(super) fn plan(
    state: &Arc<State>,
    call: &Call,
    socket: Socket,
    to: SocketAddr,
    loopback: Loopback,
    rule: &'static str,
) -> Plan {
    let nonblocking = socket.nonblocking();
    let connect = Connect {
        state: state.clone(),
        socket,
        pid: call.tid,
        to,
        loopback,
        rule,
    };
    if nonblocking {
        // One exchange with the session; it never fails with EINTR (connect(2)).
        let work = Box::new(move |cancelled: &Cancelled| connect.begin(cancelled));
        return Plan::Asking {
            interrupt: Interrupt::AlwaysRestart,
            work,
        };
    }
    let work = Box::new(move |cancelled: &Cancelled| connect.complete(cancelled));
    Plan::Asking {
        interrupt: Interrupt::Detaches,
        work,
    }
}

/// A connect to a port that the program's own listener asked for and did not get.
pub(super) fn plan_moved(
    state: &Arc<State>,
    call: &Call,
    socket: Socket,
    to: SocketAddr,
    moved: SocketAddr,
) -> Plan {
    let rule = "network.outgoing (this program's own listener, which was moved)";
    state.tell(call.tid, "tcp", to, (Place::Local, rule), None);
    match raw::limited(LOCAL, || rustix::net::connect(&socket, &moved)) {
        Ok(()) => Plan::Done(Outcome::number(0)),
        Err(errno) => fails(errno),
    }
}

impl Connect {
    /// A blocking connect: returns when the pod's connection stands or failed.
    fn complete(self, cancelled: &Cancelled) -> Outcome {
        // SO_SNDTIMEO bounds connect too (socket(7)); afterwards it goes on in the background.
        let within = sockopt::socket_timeout(&self.socket, sockopt::Timeout::Send)
            .ok()
            .flatten();
        let answers = match self.ask(false) {
            Ok(answers) => answers,
            Err(outcome) => return outcome,
        };
        match answers.next(cancelled, within) {
            Ok(ToSupervisor::Connected { result, .. }) => match result {
                Ok(relay) => self.stands(answers.ticket, relay),
                Err(errno) => self.fail(errno),
            },
            Ok(other) => {
                tracing::error!(?other, "the session gave an answer to another question");
                self.abandon(answers.ticket);
                self.fail(libc::ENETDOWN)
            }
            Err(NoAnswer::TimedOut) => detached::time_out(self, answers, cancelled),
            Err(NoAnswer::Cancelled) if cancelled.is_to_let_go() => {
                detached::go_on(self, answers, cancelled)
            }
            Err(NoAnswer::Cancelled) => {
                self.abandon(answers.ticket);
                Outcome::errno(libc::EINTR)
            }
        }
    }

    /// The pod's connection stands: brings the program's socket to it.
    fn stands(&self, ticket: Ticket, relay: Relay) -> Outcome {
        match self.join(ticket, relay) {
            Ok(()) => {
                self.tell(None);
                Outcome::number(0)
            }
            Err(errno) => {
                self.abandon(ticket);
                self.fail(errno.raw_os_error())
            }
        }
    }

    /// A connect that must not wait: the socket is left pending.
    fn begin(self, cancelled: &Cancelled) -> Outcome {
        let answers = match self.ask(true) {
            Ok(answers) => answers,
            Err(outcome) => return outcome,
        };
        match answers.next(cancelled, Some(AT_ONCE)) {
            Ok(ToSupervisor::Connecting { via, .. }) => match self.pend(answers.ticket, via) {
                Ok(()) => self.leave(answers, via),
                Err(errno) => {
                    self.abandon(answers.ticket);
                    self.fail(errno.raw_os_error())
                }
            },
            Ok(ToSupervisor::Connected {
                result: Err(errno), ..
            }) => self.fail(errno),
            Ok(_) | Err(_) => {
                self.abandon(answers.ticket);
                self.fail(libc::ENETDOWN)
            }
        }
    }

    /// Connects the program's socket to an address that stays pending.
    fn pend(&self, ticket: Ticket, via: SocketAddr) -> Result<(), Errno> {
        // That of a blocking socket, whose caller left, is broken off, which leaves it connecting
        // (connect(2), EINTR).
        match raw::limited(Duration::from_millis(1), || {
            rustix::net::connect(&self.socket, &via)
        }) {
            Ok(()) | Err(Errno::INPROGRESS | Errno::INTR | Errno::AGAIN) => self.joined(ticket),
            Err(errno) => Err(errno),
        }
    }

    /// Lets others wait for the end of a pending connect.
    fn leave(self, answers: Answers, via: SocketAddr) -> Outcome {
        let Connect {
            state,
            socket,
            pid,
            to,
            rule,
            ..
        } = self;
        let told = state.clone();
        state.pending.watch(answers, socket, via, move |errno| {
            told.tell(pid, "tcp", to, (Place::Remote, rule), errno);
        });
        Outcome::errno(libc::EINPROGRESS)
    }

    fn ask(&self, nonblocking: bool) -> Result<Answers, Outcome> {
        let (to, loopback) = (Outgoing::Tcp(self.to), self.loopback);
        let asked = self.state.session.ask(|ticket| FromSupervisor::Connect {
            ticket,
            to,
            loopback,
            nonblocking,
        });
        asked.map_err(|error| {
            tracing::error!(%error, "could not ask the session for a connection");
            self.fail(libc::ENETDOWN)
        })
    }

    /// Connects the program's socket to the session, where the pod's connection waits for it.
    fn join(&self, ticket: Ticket, relay: Relay) -> Result<(), Errno> {
        match raw::limited(LOCAL, || rustix::net::connect(&self.socket, &relay.via)) {
            // In progress: the program made its socket non-blocking meanwhile.
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(errno) => return Err(errno),
        }
        if let (Some(client), Some(server)) = (relay.local, relay.peer) {
            let program = self.socket.local()?;
            let pair = AddressPair { client, server };
            self.state
                .peers
                .enter(Kind::Tcp, program, pair, relay_tag(ticket, relay.via));
        }
        self.joined(ticket)
    }

    fn joined(&self, ticket: Ticket) -> Result<(), Errno> {
        let program = self.socket.local()?;
        let message = FromSupervisor::Joined { ticket, program };
        self.state.session.send(&message).map_err(|error| {
            tracing::error!(%error, "could not tell the session which socket joined");
            Errno::NETDOWN
        })
    }

    fn abandon(&self, ticket: Ticket) {
        if let Err(error) = self.state.session.send(&FromSupervisor::Abandon { ticket }) {
            tracing::debug!(%error, "could not tell the session that nobody waits");
        }
    }

    fn fail(&self, errno: i32) -> Outcome {
        self.tell(Some(errno));
        Outcome::errno(errno)
    }

    fn tell(&self, errno: Option<i32>) {
        self.state
            .tell(self.pid, "tcp", self.to, (Place::Remote, self.rule), errno);
    }
}
