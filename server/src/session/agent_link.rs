//! The control link: one task owns it; requests are answered by id, news come out in order.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mirrord_link::{MessageReceiver, MessageSender};
use mirrord_protocol::codec;
use mirrord_protocol::control::{
    Answer, FromAgent, Notice, RemoteError, Request, RequestId, TargetFacts, ToAgent,
};
use tokio::sync::{mpsc, oneshot};

/// How often the agent is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(5);
/// How long it may be silent. Both ends may be stopped by a laptop's sleep, so this is counted in
/// pings that were sent, not in the clock's time.
const PINGS_LOST: u64 = 4;

/// What the agent tells unasked.
#[derive(Debug)]
pub enum AgentNews {
    /// A notice.
    Notice(Notice),
    /// The link is gone; nothing comes after this.
    Closed {
        /// Why, for the user.
        reason: String,
    },
}

enum Order {
    Ask(Request, oneshot::Sender<Result<Answer, RemoteError>>),
    Ping(oneshot::Sender<Duration>),
    Close(String, oneshot::Sender<()>),
}

/// Asks the agent.
#[derive(Clone)]
pub struct AgentLink {
    order_tx: mpsc::Sender<Order>,
}

impl AgentLink {
    /// Takes over a fresh control link: waits for the target's facts, which come first.
    pub async fn start(
        sender: MessageSender,
        mut receiver: MessageReceiver,
    ) -> Result<(AgentLink, TargetFacts, mpsc::Receiver<AgentNews>)> {
        let facts = match receiver.next().await {
            Some(message) => match codec::decode(&message.context("the agent's link failed")?)? {
                FromAgent::Answer(_, Ok(Answer::Target(facts))) => facts,
                FromAgent::Answer(_, Err(error)) => {
                    bail!("the agent cannot read the target: {error}")
                }
                FromAgent::Close { reason } => bail!("the agent closed the link: {reason}"),
                other => bail!("the agent began with {other:?} (is it of the same version?)"),
            },
            None => bail!("the agent closed the link before it said anything"),
        };
        let (order_tx, order_rx) = mpsc::channel(64);
        let (news_tx, news_rx) = mpsc::channel(256);
        tokio::spawn(async move {
            let reason = Task {
                sender,
                receiver,
                waiting: HashMap::new(),
                timed: HashMap::new(),
                next_id: 1,
            }
            .run(order_rx, &news_tx)
            .await;
            let _ = news_tx.send(AgentNews::Closed { reason }).await;
        });
        Ok((AgentLink { order_tx }, facts, news_rx))
    }

    /// Asks one question.
    pub async fn ask(&self, request: Request) -> Result<Answer, RemoteError> {
        let gone = || RemoteError {
            errno: libc::ENOTCONN,
            message: "the agent is gone".into(),
        };
        let (answer_tx, answer_rx) = oneshot::channel();
        self.order_tx
            .send(Order::Ask(request, answer_tx))
            .await
            .map_err(|_| gone())?;
        answer_rx.await.map_err(|_| gone())?
    }

    /// The round trip of a message, measured now; `None` when the agent does not answer.
    pub async fn ping(&self) -> Option<Duration> {
        let (time_tx, time_rx) = oneshot::channel();
        self.order_tx.send(Order::Ping(time_tx)).await.ok()?;
        tokio::time::timeout(PING_EVERY, time_rx).await.ok()?.ok()
    }

    /// Ends the link on purpose and waits until the agent has the word.
    pub async fn close(&self, reason: &str) {
        let (done_tx, done_rx) = oneshot::channel();
        if self
            .order_tx
            .send(Order::Close(reason.to_owned(), done_tx))
            .await
            .is_ok()
        {
            let _ = done_rx.await;
        }
    }
}

struct Task {
    sender: MessageSender,
    receiver: MessageReceiver,
    waiting: HashMap<RequestId, oneshot::Sender<Result<Answer, RemoteError>>>,
    /// Pings whose time somebody waits for.
    timed: HashMap<u64, (Instant, oneshot::Sender<Duration>)>,
    next_id: RequestId,
}

impl Task {
    async fn run(
        mut self,
        mut order_rx: mpsc::Receiver<Order>,
        news_tx: &mpsc::Sender<AgentNews>,
    ) -> String {
        let mut pings = tokio::time::interval(PING_EVERY);
        pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut sent, mut answered) = (0u64, 0u64);
        loop {
            let outcome = tokio::select! {
                order = order_rx.recv() => match order {
                    Some(Order::Ask(request, answer_tx)) => self.ask(request, answer_tx).await,
                    Some(Order::Ping(time_tx)) => {
                        sent += 1;
                        self.timed.insert(sent, (Instant::now(), time_tx));
                        self.send(&ToAgent::Ping(sent)).await
                    }
                    Some(Order::Close(reason, done_tx)) => {
                        let farewell = self.send(&ToAgent::Close { reason: reason.clone() }).await;
                        let _ = done_tx.send(());
                        return farewell.map_or_else(|error| error.to_string(), |()| reason);
                    }
                    None => return "the session ended".into(),
                },
                message = self.receiver.next() => match message {
                    None => return "the agent ended or the connection to it was lost".into(),
                    Some(Err(error)) => Err(error.into()),
                    Some(Ok(message)) => match codec::decode(&message) {
                        Err(error) => Err(error.into()),
                        Ok(FromAgent::Close { reason }) => return reason,
                        Ok(FromAgent::Pong(number)) => {
                            answered = answered.max(number);
                            if let Some((sent_at, time_tx)) = self.timed.remove(&number) {
                                let _ = time_tx.send(sent_at.elapsed());
                            }
                            Ok(())
                        }
                        Ok(FromAgent::Answer(id, answer)) => { self.answer(id, answer); Ok(()) }
                        Ok(FromAgent::Notice(notice)) => {
                            // A receiver that is gone is ending; its order channel ends us too.
                            let _ = news_tx.send(AgentNews::Notice(notice)).await;
                            Ok(())
                        }
                    },
                },
                _ = pings.tick() => {
                    if sent - answered >= PINGS_LOST {
                        return format!(
                            "the agent has not answered for {} s",
                            PING_EVERY.as_secs() * PINGS_LOST
                        );
                    }
                    sent += 1;
                    self.send(&ToAgent::Ping(sent)).await
                }
            };
            if let Err(error) = outcome {
                return format!("the link to the agent failed: {error:#}");
            }
        }
    }

    async fn ask(
        &mut self,
        request: Request,
        answer_tx: oneshot::Sender<Result<Answer, RemoteError>>,
    ) -> Result<()> {
        let id = self.next_id;
        self.next_id += 1;
        self.waiting.insert(id, answer_tx);
        self.send(&ToAgent::Request(id, request)).await
    }

    fn answer(&mut self, id: RequestId, answer: Result<Answer, RemoteError>) {
        match self.waiting.remove(&id) {
            // Whoever asked may have gone away.
            Some(answer_tx) => drop(answer_tx.send(answer)),
            None => tracing::warn!("the agent answered a question ({id}) that nobody asked"),
        }
    }

    async fn send(&mut self, message: &ToAgent) -> Result<()> {
        self.sender.send(codec::encode(message)?.into()).await?;
        Ok(())
    }
}
