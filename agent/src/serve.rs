//! The agent's main loop: callers come in, prove themselves, and get what their link is for; the
//! loop ends for one of the reasons in [`End`], and everything taken is given back.

use std::{
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use mirrord_link::{
    AgentIdentity, IncomingStreams, LinkError, Side, Socket, Streams, Transport, accept,
};
use mirrord_protocol::{
    control::{FromAgent, Notice, RemoteError},
    hello::{LOOK_AHEAD, Purpose, SessionHello},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    control::{self, ControlEnd},
    files::{self, Files},
    incoming::Incoming,
    lifecycle::{End, Signals, wait_for_exit, wait_for_hang_up},
    listener::Listener,
    outgoing,
    readiness::register,
    target::Target,
};

/// Callers that have not proved themselves yet; more wait in the listener's queue.
const MAX_HELLOS: usize = 32;

/// Messages to the session that wait to be sent.
const OUTGOING_QUEUE: usize = 256;

/// How long a subscription waits for the streams link that its connections will need.
const STREAMS_LIMIT: Duration = Duration::from_secs(10);

/// How long a session that takes the agent over has to call.
const NEXT_SESSION: Duration = Duration::from_secs(10);

/// How long the end may take.
const END_LIMIT: Duration = Duration::from_secs(2);

/// The ports that are taken, from the moment the streams link stands.
#[derive(Clone)]
pub struct Taken {
    incoming_rx: watch::Receiver<Option<Arc<Incoming>>>,
}

impl Taken {
    /// Waits for the streams link.
    pub async fn ready(&self) -> Result<Arc<Incoming>, RemoteError> {
        let mut incoming_rx = self.incoming_rx.clone();
        let waited = timeout(STREAMS_LIMIT, incoming_rx.wait_for(Option::is_some)).await;
        let found = waited
            .ok()
            .and_then(Result::ok)
            .and_then(|incoming| incoming.clone());
        found.ok_or_else(|| RemoteError {
            errno: libc::ENOTCONN,
            message: "the session has no streams link to bring connections to".to_owned(),
        })
    }
}

/// The session gives the agent to another one.
pub struct Rekey {
    /// The other's public key.
    pub session_key: String,
    /// Told when only the other is served.
    pub done_tx: oneshot::Sender<Result<(), LinkError>>,
}

enum Event {
    Rekey(Rekey),
    Called(std::io::Result<Transport>),
    Linked(Box<Result<(SessionHello, Socket), LinkError>>),
    ControlEnded(ControlEnd),
    StreamsEnded(u64),
    Ended(End),
}

struct Agent {
    target: Arc<Target>,
    files: Arc<Files>,
    identity: AgentIdentity,
    rekey_tx: mpsc::Sender<Rekey>,
    /// The next session has not made its control link yet; the end of the last one's means nothing.
    between_sessions: bool,
    /// The one session that is served, once it has called.
    session: Option<String>,
    /// It has had a control link before.
    was_linked: bool,
    /// Held open by the process of the session that started us.
    lifeline: Option<AsyncFd<OwnedFd>>,
    grace: Duration,
    /// When the agent gives up waiting for the session, and what it lost.
    deadline: Option<(Instant, String)>,
    control: Option<mpsc::Sender<FromAgent>>,
    controls: JoinSet<ControlEnd>,
    streams: Option<Streams>,
    /// The streams link in use; the end of an older one means nothing.
    streams_number: u64,
    stream_links: JoinSet<u64>,
    file_links: JoinSet<()>,
    incoming_tx: watch::Sender<Option<Arc<Incoming>>>,
    notice_tx: mpsc::Sender<Notice>,
}

/// Serves one session from its first call to its end. A session whose link is lost is waited for
/// during `grace`, but not when `lifeline` says that its process is gone.
pub async fn run(
    listener: Listener,
    identity: AgentIdentity,
    target: Arc<Target>,
    grace: Duration,
    lifeline: Option<OwnedFd>,
    first_call: Option<Duration>,
) -> anyhow::Result<End> {
    let mut signals = Signals::new().context("could not listen for signals (signalfd)")?;
    let listener = listener
        .start()
        .context("could not wait for callers (epoll)")?;
    let (notice_tx, mut notice_rx) = mpsc::channel(OUTGOING_QUEUE);
    let root = (target.root.try_clone()).context("could not keep the target's root directory")?;
    let (rekey_tx, mut rekey_rx) = mpsc::channel(1);
    let mut agent = Agent {
        identity: identity.clone(),
        rekey_tx,
        between_sessions: false,
        files: Files::new(root, target.creds.clone(), target.capabilities)?,
        target: target.clone(),
        session: None,
        was_linked: false,
        lifeline: lifeline
            .map(|fd| register(fd, Interest::READABLE))
            .transpose()
            .context("could not watch stdin for the session's end (it must be a pipe)")?,
        grace,
        deadline: first_call.map(|wait| (Instant::now() + wait, "no session called".to_owned())),
        control: None,
        controls: JoinSet::new(),
        streams: None,
        streams_number: 0,
        stream_links: JoinSet::new(),
        file_links: JoinSet::new(),
        incoming_tx: watch::Sender::new(None),
        notice_tx,
    };
    let mut hellos: JoinSet<Result<(SessionHello, Socket), LinkError>> = JoinSet::new();
    let exited = wait_for_exit(target.pidfd.as_fd());
    tokio::pin!(exited);
    let end = loop {
        let deadline = agent.deadline.clone();
        let event = tokio::select! {
            biased;
            name = signals.next() => Event::Ended(End::Signal { name }),
            result = &mut exited => {
                result.context("could not watch the target's process (epoll on a pidfd)")?;
                Event::Ended(End::TargetGone)
            }
            Some(ended) = agent.controls.join_next() => Event::ControlEnded(
                ended.unwrap_or_else(|error| ControlEnd::Lost { cause: error.to_string() }),
            ),
            Some(ended) = agent.stream_links.join_next() => {
                // One that was aborted is none that is in use.
                let Ok(number) = ended else { continue };
                Event::StreamsEnded(number)
            }
            () = wait_for_hang_up(agent.lifeline.as_ref()) => Event::Ended(End::SessionGone),
            Some(_) = agent.file_links.join_next() => continue,
            Some(rekey) = rekey_rx.recv() => Event::Rekey(rekey),
            Some(notice) = notice_rx.recv() => {
                agent.tell(FromAgent::Notice(notice));
                continue;
            }
            Some(linked) = hellos.join_next() => match linked {
                Ok(linked) => Event::Linked(Box::new(linked)),
                Err(error) => return Err(error).context("a caller's hello failed inside the agent"),
            },
            called = listener.accept(), if hellos.len() < MAX_HELLOS => Event::Called(called),
            () = until(deadline.as_ref()) => {
                let cause = deadline.map(|(_, cause)| cause).unwrap_or_default();
                Event::Ended(End::SessionLost { cause, grace })
            }
        };
        match event {
            Event::Rekey(Rekey {
                session_key,
                done_tx,
            }) => {
                let done = agent.rekey(&session_key).await;
                // A session that does not wait for the answer has lost its link.
                let _ = done_tx.send(done);
            }
            Event::Called(Ok(io)) => {
                let identity = identity.clone();
                hellos.spawn(async move { accept(io, &identity).await });
            }
            // A caller that hung up at once, or too many open files: neither ends the agent, and
            // the pause keeps the second from spinning.
            Event::Called(Err(error)) => {
                tracing::warn!(%error, "could not accept a caller");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Event::Linked(linked) => match *linked {
                Ok((hello, socket)) => agent.linked(hello, socket).await,
                Err(error) => tracing::warn!(%error, "a caller was refused"),
            },
            Event::ControlEnded(ended) => {
                if let Some(end) = agent.control_ended(ended).await {
                    break end;
                }
            }
            // A port that is taken without a way to the session would only lose connections.
            Event::StreamsEnded(number) if number == agent.streams_number => {
                agent.streams_ended().await;
            }
            Event::StreamsEnded(_) => {}
            Event::Ended(end) => break end,
        }
    };
    // The socket's file goes first, so nobody calls an agent that is ending.
    drop(listener);
    if timeout(END_LIMIT, agent.end(&end)).await.is_err() {
        tracing::warn!("not everything was given back in {END_LIMIT:?}");
    }
    Ok(end)
}

async fn until(deadline: Option<&(Instant, String)>) {
    match deadline {
        Some((deadline, _)) => sleep_until(*deadline).await,
        None => std::future::pending().await,
    }
}

impl Agent {
    async fn linked(&mut self, hello: SessionHello, socket: Socket) {
        match &self.session {
            Some(session) if *session != hello.session => {
                tracing::warn!("another session of the same key called; one agent serves one");
                let (mut sender, _receiver) = socket.into_messages();
                self.file_links.spawn(async move {
                    let reason = "this agent serves another session; start one for this session";
                    if let Err(error) = sender.close(reason).await {
                        tracing::debug!(%error, "could not tell a caller why it was refused");
                    }
                });
                return;
            }
            Some(_) => {}
            None => self.session = Some(hello.session),
        }
        match hello.purpose {
            Purpose::Control => self.start_control(socket, &hello.features).await,
            Purpose::Streams => self.start_streams(socket).await,
            Purpose::Files | Purpose::FileContent => {
                let (sender, receiver) = socket.into_messages();
                let files = self.files.clone();
                self.file_links.spawn(async move {
                    if let Err(error) = files::serve(sender, receiver, files).await {
                        tracing::info!(%error, "a link of file calls ended");
                    }
                });
            }
        }
    }

    /// Ends everything of the session but the link on which it said so, and waits for another.
    async fn rekey(&mut self, session_key: &str) -> Result<(), LinkError> {
        self.identity.rekey(session_key)?;
        self.streams_ended().await;
        self.stream_links.shutdown().await;
        self.file_links.shutdown().await;
        self.files.forget_all();
        self.session = None;
        self.was_linked = false;
        self.lifeline = None;
        self.between_sessions = true;
        let cause = "the session that took the agent over did not call".to_owned();
        self.deadline = Some((Instant::now() + NEXT_SESSION, cause));
        Ok(())
    }

    async fn start_control(&mut self, socket: Socket, features: &[String]) {
        if self.was_linked {
            // What rode on the link that it has lost ends, whether we noticed the loss or not. Its
            // new streams link comes after this one.
            self.streams_ended().await;
        }
        self.was_linked = true;
        self.deadline = None;
        self.between_sessions = false;
        let (outgoing_tx, outgoing_rx) = mpsc::channel(OUTGOING_QUEUE);
        let (sender, receiver) = socket.into_messages();
        let context = Arc::new(control::Context {
            target: self.target.clone(),
            rekey_tx: self.rekey_tx.clone(),
            taken: Taken {
                incoming_rx: self.incoming_tx.subscribe(),
            },
            looks_ahead: features.iter().any(|feature| feature == LOOK_AHEAD),
        });
        // An older control link of the session is dead if a new one comes; this ends it.
        self.controls.abort_all();
        while self.controls.try_join_next().is_some() {}
        self.controls = JoinSet::new();
        self.control = Some(outgoing_tx.clone());
        self.controls.spawn(control::serve(
            sender,
            receiver,
            context,
            outgoing_tx,
            outgoing_rx,
        ));
    }

    async fn start_streams(&mut self, socket: Socket) {
        self.streams_ended().await;
        let (streams, incoming_streams) = socket.into_streams(Side::Agent);
        self.streams = Some(streams.clone());
        self.streams_number += 1;
        let number = self.streams_number;
        let incoming = Incoming::new(self.target.clone(), streams, self.notice_tx.clone());
        self.incoming_tx.send_replace(Some(Arc::new(incoming)));
        let target = self.target.clone();
        self.stream_links.spawn(async move {
            serve_streams(incoming_streams, target).await;
            number
        });
    }

    async fn control_ended(&mut self, ended: ControlEnd) -> Option<End> {
        if self.between_sessions {
            self.control = None;
            return None;
        }
        self.control = None;
        match ended {
            ControlEnd::Closed { reason } => Some(End::SessionClosed { reason }),
            ControlEnd::Lost { cause } if self.grace.is_zero() => Some(End::SessionLost {
                cause,
                grace: self.grace,
            }),
            ControlEnd::Lost { cause } => {
                // Fail open: the pod has its traffic back while nobody is there to answer it.
                self.streams_ended().await;
                self.deadline = Some((Instant::now() + self.grace, cause));
                None
            }
        }
    }

    /// Ends the streams link, if it has not ended by itself, and gives back what needs it.
    async fn streams_ended(&mut self) {
        if let Some(streams) = self.streams.take() {
            streams.close("this streams link is over");
        }
        if let Some(incoming) = self.incoming_tx.send_replace(None) {
            incoming.shutdown().await;
        }
    }

    fn tell(&self, message: FromAgent) {
        let Some(control) = &self.control else { return };
        if let Err(error) = control.try_send(message) {
            tracing::warn!(%error, "the session does not read; a notice was lost");
        }
    }

    /// Gives everything back and says goodbye.
    async fn end(&mut self, end: &End) {
        if let Some(incoming) = self.incoming_tx.send_replace(None) {
            incoming.shutdown().await;
        }
        if *end == End::TargetGone {
            self.tell(FromAgent::Notice(Notice::TargetGone));
        }
        self.tell(FromAgent::Close {
            reason: end.to_string(),
        });
        self.control = None;
        while self.controls.join_next().await.is_some() {}
        if let Some(streams) = self.streams.take() {
            streams.close(&end.to_string());
            streams.ended().await;
        }
    }
}

/// Serves the streams that the session opens, each as a task that ends with the link.
async fn serve_streams(mut incoming: IncomingStreams, target: Arc<Target>) {
    let mut tasks = JoinSet::new();
    while let Some((header, stream)) = incoming.next().await {
        while tasks.try_join_next().is_some() {}
        let target = target.clone();
        tasks.spawn(async move {
            if let Err(error) = outgoing::serve(header, stream, target).await {
                tracing::debug!(%error, "an outgoing stream broke");
            }
        });
    }
    if let Some(error) = incoming.end() {
        tracing::info!(%error, "the streams link ended");
    }
}
