//! The control link: one request a message, answered in any order.
//!
//! Each request runs as a task, so a slow one (a port that must be taken) holds up neither pings
//! nor other requests. How many run at once is bounded; beyond that the link is not read.

use std::sync::Arc;

use bytes::Bytes;
use mirrord_link::{
    KEEPALIVE_DEADLINE, KEEPALIVE_INTERVAL, LinkError, MessageReceiver, MessageSender,
};
use mirrord_protocol::{
    codec,
    control::{Answer, FromAgent, RemoteError, Request, RequestId, ToAgent},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    resolve::{resolve, settings},
    serve::{Rekey, Taken},
    target::Target,
};

/// Requests that run at once.
const MAX_RUNNING: usize = 64;

/// How a control link ended.
#[derive(Debug)]
pub enum ControlEnd {
    /// By the session's own word.
    Closed {
        /// Its reason.
        reason: String,
    },
    /// By something else.
    Lost {
        /// What broke.
        cause: String,
    },
}

/// What requests are answered with.
pub struct Context {
    /// The target.
    pub target: Arc<Target>,
    /// Where the agent is given to another session.
    pub rekey_tx: mpsc::Sender<Rekey>,
    /// The ports taken for the session, once its streams link stands.
    pub taken: Taken,
    /// Whether the session looks ahead with the target's resolver.
    pub looks_ahead: bool,
}

/// Serves a control link until it ends. Messages from `outgoing_rx` (notices, the agent's own
/// close) go out between the answers; the link is closed when that channel is.
pub async fn serve(
    sender: MessageSender,
    mut receiver: MessageReceiver,
    context: Arc<Context>,
    outgoing_tx: mpsc::Sender<FromAgent>,
    outgoing_rx: mpsc::Receiver<FromAgent>,
) -> ControlEnd {
    receiver.set_deadline(KEEPALIVE_DEADLINE);
    // Unasked, so that the session has the environment without a further round trip.
    let facts = Answer::Target(context.target.facts.clone());
    if outgoing_tx
        .send(FromAgent::Answer(0, Ok(facts)))
        .await
        .is_err()
    {
        return ControlEnd::Lost {
            cause: "the agent is ending".to_owned(),
        };
    }
    if let Some(settings) = context
        .looks_ahead
        .then(|| settings(&context.target))
        .flatten()
    {
        // There is room for it: nothing else was sent yet.
        let _ = outgoing_tx.send(FromAgent::Notice(settings)).await;
    }
    let mut requests = JoinSet::new();
    let writing = write(sender, outgoing_rx);
    tokio::pin!(writing);
    let reading = read(&mut receiver, &context, &outgoing_tx, &mut requests);
    tokio::select! {
        end = reading => end,
        written = &mut writing => match written {
            Ok(()) => ControlEnd::Closed { reason: "the agent is ending".to_owned() },
            Err(error) => ControlEnd::Lost { cause: error.to_string() },
        },
    }
}

async fn read(
    receiver: &mut MessageReceiver,
    context: &Arc<Context>,
    outgoing_tx: &mpsc::Sender<FromAgent>,
    requests: &mut JoinSet<()>,
) -> ControlEnd {
    let running = Arc::new(Semaphore::new(MAX_RUNNING));
    loop {
        let message = match receiver.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => {
                return ControlEnd::Lost {
                    cause: error.to_string(),
                };
            }
            None => {
                let reason = receiver
                    .close_reason()
                    .unwrap_or("without a reason")
                    .to_owned();
                return ControlEnd::Closed { reason };
            }
        };
        // Finished tasks are taken out, or they would add up.
        while requests.try_join_next().is_some() {}
        match codec::decode(&message) {
            Ok(ToAgent::Request(id, request)) => {
                // The semaphore is never closed.
                let Ok(permit) = running.clone().acquire_owned().await else {
                    continue;
                };
                let (context, outgoing_tx) = (context.clone(), outgoing_tx.clone());
                requests.spawn(async move {
                    answer(&context, id, request, &outgoing_tx).await;
                    drop(permit);
                });
            }
            Ok(ToAgent::Ping(number)) => {
                // A full channel means the session does not read; it will be noticed as dead.
                let _ = outgoing_tx.send(FromAgent::Pong(number)).await;
            }
            Ok(ToAgent::Close { reason }) => return ControlEnd::Closed { reason },
            Err(error) => {
                return ControlEnd::Lost {
                    cause: error.to_string(),
                };
            }
        }
    }
}

async fn answer(
    context: &Context,
    id: RequestId,
    request: Request,
    outgoing_tx: &mpsc::Sender<FromAgent>,
) {
    let result = perform(context, request).await;
    if outgoing_tx
        .send(FromAgent::Answer(id, result))
        .await
        .is_err()
    {
        tracing::debug!(id, "the control link ended before a request was answered");
    }
}

async fn perform(context: &Context, request: Request) -> Result<Answer, RemoteError> {
    match request {
        Request::Target => Ok(Answer::Target(context.target.facts.clone())),
        Request::Subscribe(subscribe) => {
            let incoming = context.taken.ready().await?;
            let (subscription, by) = incoming.subscribe(subscribe).await?;
            Ok(Answer::Subscribed { subscription, by })
        }
        Request::Unsubscribe { subscription } => {
            context.taken.ready().await?.unsubscribe(subscription).await;
            Ok(Answer::Unsubscribed)
        }
        Request::Rekey { session_key } => rekey(context, session_key).await,
        Request::Resolve { host } => resolve(&context.target, &host).await.map(Answer::Resolved),
    }
}

async fn rekey(context: &Context, session_key: String) -> Result<Answer, RemoteError> {
    let wrong = |message: String| RemoteError {
        errno: libc::EINVAL,
        message,
    };
    let ending = || wrong("the agent is ending".to_owned());
    let (done_tx, done_rx) = oneshot::channel();
    let rekey = Rekey {
        session_key,
        done_tx,
    };
    context.rekey_tx.send(rekey).await.map_err(|_| ending())?;
    match done_rx.await.map_err(|_| ending())? {
        Ok(()) => Ok(Answer::Rekeyed),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Writes until the channel is closed, and pings a quiet session.
async fn write(
    mut sender: MessageSender,
    mut outgoing_rx: mpsc::Receiver<FromAgent>,
) -> Result<(), LinkError> {
    let mut ping = tokio::time::interval(KEEPALIVE_INTERVAL);
    ping.tick().await;
    loop {
        tokio::select! {
            _ = ping.tick() => sender.ping().await?,
            message = outgoing_rx.recv() => {
                let Some(message) = message else {
                    return sender.close("the agent is ending").await;
                };
                sender.feed(Bytes::from(codec::encode(&message)?)).await?;
                let last_words = matches!(message, FromAgent::Close { .. });
                if last_words || outgoing_rx.is_empty() {
                    sender.flush().await?;
                }
                if let FromAgent::Close { reason } = message {
                    return sender.close(&reason).await;
                }
            }
        }
    }
}
