//! Blocking connects whose caller is to leave: because of a signal, or out of time.
//!
//! The kernel lets such a connect go on, and the program waits for its end as for a non-blocking
//! one, or connects again (connect(2), EINTR). So the socket becomes pending when the caller goes;
//! and since the same call may come back (`SA_RESTART`), the work goes on until it is given up.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use mirrord_protocol::local::{FromSupervisor, ToSupervisor};
use rustix::{event::PollFlags, io::Errno, net::sockopt};

use super::{AT_ONCE, Connect};
use crate::{
    call::{Cancelled, Interrupt, Outcome, Plan},
    net::{State, raw, socket::Socket},
    session_link::{Answers, NoAnswer},
};

/// After a signal: the outcome is for the same call, if it comes again.
pub(super) fn go_on(connect: Connect, answers: Answers, cancelled: &Cancelled) -> Outcome {
    if let Err(outcome) = detach(&connect, &answers) {
        return outcome;
    }
    let mut pending = None;
    loop {
        match answers.next(cancelled, None) {
            Ok(ToSupervisor::Connecting { via, .. }) => {
                if let Err(errno) = connect.pend(answers.ticket, via) {
                    connect.abandon(answers.ticket);
                    return failed(connect, via, errno.raw_os_error());
                }
                connect.state.pending.begin(&connect.socket, via);
                pending = Some(via);
                cancelled.let_go();
            }
            Ok(ToSupervisor::Connected { result, .. }) => match (result, pending) {
                (Ok(_), Some(via)) => return stands(connect, via),
                // Its end was on the way when the caller left.
                (Ok(relay), None) => return connect.stands(answers.ticket, relay),
                (Err(errno), Some(via)) => return failed(connect, via, errno),
                (Err(errno), None) => {
                    return match refusing(&connect.socket) {
                        Ok(via) => failed(connect, via, errno),
                        Err(error) => {
                            tracing::debug!(%error, "could not fail a connect for its poll");
                            connect.fail(errno)
                        }
                    };
                }
            },
            Ok(other) => {
                tracing::error!(?other, "the session gave an answer to another question");
                connect.abandon(answers.ticket);
                return connect.fail(libc::ENETDOWN);
            }
            Err(_) if cancelled.is_to_let_go() => {}
            Err(_) => match pending {
                // The program waits in its own way.
                Some(via) => return connect.leave(answers, via),
                None => {
                    connect.abandon(answers.ticket);
                    return Outcome::errno(libc::EINTR);
                }
            },
        }
    }
}

/// After `SO_SNDTIMEO`: the caller is told that the connect goes on.
pub(super) fn time_out(connect: Connect, answers: Answers, cancelled: &Cancelled) -> Outcome {
    if let Err(outcome) = detach(&connect, &answers) {
        return outcome;
    }
    loop {
        let errno = match answers.next(cancelled, Some(AT_ONCE)) {
            Ok(ToSupervisor::Connecting { via, .. }) => match connect.pend(answers.ticket, via) {
                Ok(()) => return connect.leave(answers, via),
                Err(errno) => errno.raw_os_error(),
            },
            Ok(ToSupervisor::Connected { result, .. }) => match result {
                Ok(relay) => return connect.stands(answers.ticket, relay),
                Err(errno) => return connect.fail(errno),
            },
            Err(NoAnswer::Cancelled) if cancelled.is_to_let_go() => continue,
            Ok(_) | Err(_) => libc::ENETDOWN,
        };
        connect.abandon(answers.ticket);
        return connect.fail(errno);
    }
}

fn detach(connect: &Connect, answers: &Answers) -> Result<(), Outcome> {
    let ticket = answers.ticket;
    let sent = connect
        .state
        .session
        .send(&FromSupervisor::Detach { ticket });
    sent.map_err(|error| {
        tracing::error!(%error, "could not tell the session that nobody waits for a connect");
        connect.fail(libc::ENETDOWN)
    })
}

/// The pending connect was completed by the session.
fn stands(connect: Connect, via: SocketAddr) -> Outcome {
    connect.tell(None);
    connect.state.pending.over(&connect.socket);
    let heard = move |heard| {
        // To the kernel nobody's call has seen the end yet, and it would let one more succeed.
        if heard {
            let _ = raw::limited(super::LOCAL, || rustix::net::connect(&connect.socket, &via));
        }
    };
    Outcome {
        delivered: Some(Box::new(heard)),
        ..Outcome::number(0)
    }
}

/// Lets the socket show the errno, and takes that back if the call comes for it.
fn failed(connect: Connect, via: SocketAddr, errno: i32) -> Outcome {
    connect.tell(Some(errno));
    let Connect { state, socket, .. } = connect;
    if let Err(error) = state.pending.fail(&socket, via, errno) {
        tracing::debug!(%error, "could not fail an interrupted connect at once");
    }
    state.pending.over(&socket);
    let heard = move |heard| {
        if heard {
            state.pending.take_failure(&socket);
        }
    };
    Outcome {
        delivered: Some(Box::new(heard)),
        ..Outcome::errno(errno)
    }
}

/// A loopback address of the socket's family that refuses connections.
fn refusing(socket: &Socket) -> Result<SocketAddr, Errno> {
    let any: SocketAddr = if socket.ipv6 {
        (Ipv6Addr::LOCALHOST, 0).into()
    } else {
        (Ipv4Addr::LOCALHOST, 0).into()
    };
    // Taken and given back, so it is nobody's.
    let bound = std::net::TcpListener::bind(any).map_err(|error| {
        error
            .raw_os_error()
            .map_or(Errno::ADDRNOTAVAIL, Errno::from_raw_os_error)
    })?;
    bound.local_addr().map_err(|_| Errno::ADDRNOTAVAIL)
}

/// A blocking `connect` on a socket that is connecting already: waits for the end, as the kernel
/// does, but knows the pod's errno.
pub(in crate::net) fn plan_again(state: &Arc<State>, socket: Socket, via: SocketAddr) -> Plan {
    let state = state.clone();
    let work = Box::new(move |cancelled: &Cancelled| {
        let within = sockopt::socket_timeout(&socket, sockopt::Timeout::Send);
        let until = within.ok().flatten().map(|within| Instant::now() + within);
        match socket.wait(PollFlags::OUT, cancelled, until) {
            Ok(true) => {}
            Ok(false) => return Outcome::errno(libc::EALREADY),
            Err(errno) => return Outcome::errno(errno.raw_os_error()),
        }
        if let Some(errno) = state.pending.take_failure(&socket) {
            return Outcome::errno(errno);
        }
        match raw::limited(super::LOCAL, || rustix::net::connect(&socket, &via)) {
            Ok(()) => Outcome::number(0),
            Err(errno) => Outcome::errno(errno.raw_os_error()),
        }
    });
    Plan::Blocking {
        interrupt: Interrupt::BySignalFlags,
        work,
    }
}
