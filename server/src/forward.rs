//! `port-forward`: ports of this machine that lead to what the pod reaches (`-L`), and ports of the
//! pod that lead to a program of this machine (`-R`). No program is started and nothing is
//! intercepted; agent and links are those of sessions.

mod here;
pub mod spec;
mod there;

use anyhow::{Result, bail};
use mirrord_protocol::control::IncomingMode;
use serde::Serialize;

use crate::provider::ClusterTerms;
use crate::session::direct::{Direct, Happened};
use crate::session::signals::Signals;
use mirrord_target::Target;
use spec::{Local, Remote};

/// What is forwarded.
pub struct Forwards {
    /// From this machine to what the pod reaches.
    pub local: Vec<Local>,
    /// From the pod to this machine.
    pub remote: Vec<Remote>,
    /// How the pod's ports are taken.
    pub mode: IncomingMode,
}

/// A forward that stands, for who started us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Standing {
    /// A port of this machine.
    Local {
        /// Addresses that are listened on.
        listen: Vec<String>,
        /// Where connections go out from the pod.
        to: String,
    },
    /// A port of the pod.
    Remote {
        /// The port in the pod.
        port: u16,
        /// `steal` or `mirror`.
        mode: String,
        /// Where connections go on this machine.
        to: u16,
        /// How the agent takes the port.
        by: String,
    },
}

/// Forwards until a signal or until it cannot go on; the result is the signal's number. `tell` hears
/// of each forward once all of them stand.
pub async fn run(
    target: Target,
    cluster: ClusterTerms,
    forwards: Forwards,
    tell: impl Fn(&Standing),
) -> Result<i32> {
    let signals = Signals::listen()?;
    // What is taken already is found before anything is started.
    let listeners = forwards
        .local
        .into_iter()
        .map(here::listen)
        .collect::<Result<Vec<_>>>()?;
    let mut direct = tokio::select! {
        direct = Direct::open(target, cluster) => direct?,
        signal = signals.next() => return Ok(signal?.number),
    };
    let (remote, mode) = (&forwards.remote, forwards.mode);
    let ended = serve(&mut direct, &signals, listeners, remote, mode, tell).await;
    let reason = match &ended {
        Ok(_) => "the forwarding was ended".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    direct.close(&reason).await;
    ended
}

async fn serve(
    direct: &mut Direct,
    signals: &Signals,
    listeners: Vec<here::Listeners>,
    remote: &[Remote],
    mode: IncomingMode,
    tell: impl Fn(&Standing),
) -> Result<i32> {
    let mut ports = there::Ports::new()?;
    for remote in remote {
        ports.take(&direct.agent, *remote, mode).await?;
    }
    for listeners in &listeners {
        tell(&listeners.standing());
    }
    ports.standing().iter().for_each(tell);
    // Dropped with this future, and the connections with them.
    let mut tasks: tokio::task::JoinSet<()> = listeners
        .into_iter()
        .map(|listeners| listeners.serve(direct.agent.clone(), direct.streams.clone()))
        .collect();
    loop {
        tokio::select! {
            happened = direct.happened(signals) => match happened? {
                Happened::Signal(number) => {
                    ports.tell_the_rest();
                    return Ok(number);
                }
                Happened::Lost(reason) => bail!("the pod is out of reach: {reason}"),
                Happened::Client(header, stream) => ports.serve(header, stream),
            },
            () = ports.look() => {}
            Some(Err(error)) = tasks.join_next() => {
                bail!("a listener of this machine failed: {error}")
            }
        }
    }
}
