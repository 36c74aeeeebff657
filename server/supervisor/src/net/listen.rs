//! `listen(2)`: from here on the pod's port is taken.

use std::{sync::Arc, time::Duration};

use mirrord_protocol::{
    event::EventKind,
    local::{FromSupervisor, ToSupervisor},
};

use super::{
    State,
    address::fails,
    raw,
    socket::{Kind, Socket},
};
use crate::{
    call::{Call, Cancelled, Interrupt, Outcome, Plan},
    tracee::Tracee,
};

/// How long the program waits for its port to be taken; it listens in any case. Longer than a
/// lost link takes to come back.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

pub(super) fn plan(state: &Arc<State>, call: &Call, tracee: &Tracee) -> Plan {
    let [fd, backlog, ..] = call.args;
    let Some(socket) = Socket::of(tracee, fd).filter(|socket| socket.kind == Kind::Tcp) else {
        return Plan::Continue;
    };
    // Listening again only changes the backlog; anything else but a closed socket is an error.
    if raw::tcp_state(&socket) != Some(raw::TCP_CLOSE) {
        return Plan::Continue;
    }
    let Ok(local) = socket.local() else {
        return Plan::Continue;
    };
    if local.port() == 0 {
        // The kernel chooses a port, which is not one of the pod's.
        return Plan::Continue;
    }
    let asked = state.asked_address(&socket, local);
    let (socket, local, value) = match state.listen(socket, local, backlog as i32, fd, tracee) {
        Ok(listening) => listening,
        Err(errno) => return fails(errno),
    };
    if state.was_port_zero(&socket, local) {
        if state.session.events_wanted() {
            state.session.event(EventKind::Listen {
                pid: call.tid,
                port: asked.port(),
                mode: "off".to_owned(),
                rule: "network.incoming (the kernel chose the port)".to_owned(),
                detail: String::new(),
            });
        }
        return Plan::Done(Outcome::from(value));
    }
    // The session decides: it may have been told otherwise than the rules say.
    let (state, pid) = (state.clone(), call.tid);
    let work = Box::new(move |cancelled: &Cancelled| {
        let question = |ticket| FromSupervisor::Listen {
            ticket,
            pid,
            asked,
            bound: local,
        };
        match state.session.ask(question) {
            Ok(answers) => match answers.next(cancelled, Some(TAKEN_WITHIN)) {
                Ok(ToSupervisor::Listening { .. }) => {}
                other => tracing::debug!(?other, %asked, "no answer about a pod's port"),
            },
            Err(error) => tracing::error!(%error, "could not ask the session for a pod's port"),
        }
        // It listens; whether the pod's clients come too is told by an event.
        Outcome::from(value)
    });
    Plan::Asking {
        interrupt: Interrupt::AlwaysRestart,
        work,
    }
}
