//! The control link: one task owns it; requests are answered by id, news come out in order.
//!
//! The task outlives the link. When that is lost, questions that may be asked twice wait for the
//! next one ([`AgentLink::relink`]), and the others fail.

mod lost;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use mirrord_link::{LinkError, MessageReceiver, MessageSender};
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
    /// The link broke, this one or the streams'; another can be given.
    Lost {
        /// Which, counted from 1.
        link: u64,
        /// Why, for the user.
        reason: String,
    },
    /// The agent or the session ended the link on purpose; nothing comes after this.
    Closed {
        /// Why, for the user.
        reason: String,
    },
}

enum Order {
    Ask(Request, oneshot::Sender<Result<Answer, RemoteError>>),
    Ping(oneshot::Sender<Duration>),
    Close(String, oneshot::Sender<bool>),
}

/// Both halves of a link.
type Halves = (MessageSender, MessageReceiver);

/// Asks the agent.
#[derive(Clone)]
pub struct AgentLink {
    order_tx: mpsc::Sender<Order>,
    /// `None`: the present link is of no use any more. Unbounded, so that the session's loop never
    /// waits; at most two for each loss.
    halves_tx: mpsc::UnboundedSender<Option<Halves>>,
    news_tx: mpsc::Sender<AgentNews>,
}

/// Waits for the target's facts, which come first on each control link.
pub async fn facts(receiver: &mut MessageReceiver) -> Result<TargetFacts, LinkError> {
    let refused = |reason: String| Err(LinkError::Refused { reason });
    let Some(message) = receiver.next().await else {
        return match receiver.close_reason() {
            Some(reason) => refused(reason.to_owned()),
            None => Err(LinkError::Closed {
                reason: "it ended before it said anything".into(),
            }),
        };
    };
    match codec::decode(&message?)? {
        FromAgent::Answer(_, Ok(Answer::Target(facts))) => Ok(facts),
        FromAgent::Answer(_, Err(error)) => refused(format!("it cannot read the target: {error}")),
        FromAgent::Close { reason } => refused(reason),
        other => refused(format!(
            "it began with {other:?} (is it of the same version?)"
        )),
    }
}

impl AgentLink {
    /// Takes over a fresh control link whose facts have come.
    ///
    /// `is_held`: another agent takes the place of one that ends, so the end of one is a loss.
    pub fn start(halves: Halves, is_held: bool) -> (AgentLink, mpsc::Receiver<AgentNews>) {
        let (order_tx, order_rx) = mpsc::channel(64);
        let (halves_tx, halves_rx) = mpsc::unbounded_channel();
        let (news_tx, news_rx) = mpsc::channel(256);
        let link = AgentLink {
            order_tx,
            halves_tx,
            news_tx: news_tx.clone(),
        };
        tokio::spawn(async move {
            let task = Task {
                link: 1,
                is_held,
                order_rx,
                halves_rx,
                news_tx,
                waiting: HashMap::new(),
                timed: HashMap::new(),
                next_id: 1,
            };
            task.run(halves).await;
        });
        (link, news_rx)
    }

    /// Asks one question. While the link is lost, one that may be repeated waits for the next.
    pub async fn ask(&self, request: Request) -> Result<Answer, RemoteError> {
        let (answer_tx, answer_rx) = oneshot::channel();
        self.order_tx
            .send(Order::Ask(request, answer_tx))
            .await
            .map_err(|_| lost::gone())?;
        answer_rx.await.map_err(|_| lost::gone())?
    }

    /// The round trip of a message, measured now; `None` when the agent does not answer.
    pub async fn ping(&self) -> Option<Duration> {
        let (time_tx, time_rx) = oneshot::channel();
        self.order_tx.send(Order::Ping(time_tx)).await.ok()?;
        tokio::time::timeout(PING_EVERY, time_rx).await.ok()?.ok()
    }

    /// Ends the link on purpose and waits until the agent has the word; false when there was no
    /// link to say it on.
    pub async fn close(&self, reason: &str) -> bool {
        let (done_tx, done_rx) = oneshot::channel();
        let order = Order::Close(reason.to_owned(), done_tx);
        self.order_tx.send(order).await.is_ok() && done_rx.await.unwrap_or(false)
    }

    /// Lets go of a link that is of no use, if it stands, without a word to the agent.
    pub fn hang_up(&self) {
        // Without its task the link has ended already.
        let _ = self.halves_tx.send(None);
    }

    /// Goes on with another link, whose facts have come.
    pub fn relink(&self, halves: Halves) {
        let _ = self.halves_tx.send(Some(halves));
    }

    /// Tells the session that this link's other half, the streams, is lost.
    pub async fn streams_lost(&self, link: u64, reason: String) {
        // Without a receiver the session is over.
        let _ = self.news_tx.send(AgentNews::Lost { link, reason }).await;
    }
}

/// How a link ended.
enum End {
    /// For good.
    Over(String),
    /// It broke.
    Lost(String),
    /// The session let go of it.
    HungUp,
}

struct Waiting {
    request: Request,
    answer_tx: oneshot::Sender<Result<Answer, RemoteError>>,
}

struct Task {
    link: u64,
    is_held: bool,
    order_rx: mpsc::Receiver<Order>,
    halves_rx: mpsc::UnboundedReceiver<Option<Halves>>,
    news_tx: mpsc::Sender<AgentNews>,
    waiting: HashMap<RequestId, Waiting>,
    /// Pings whose time somebody waits for.
    timed: HashMap<u64, (Instant, oneshot::Sender<Duration>)>,
    next_id: RequestId,
}

impl Task {
    async fn run(mut self, mut halves: Halves) {
        let reason = loop {
            match self.serve(halves).await {
                End::Over(reason) => break reason,
                End::Lost(reason) => {
                    let link = self.link;
                    let _ = self.news_tx.send(AgentNews::Lost { link, reason }).await;
                }
                End::HungUp => {}
            }
            match self.wait_for_link().await {
                Ok(next) => halves = next,
                Err(reason) => break reason,
            }
            self.link += 1;
        };
        let _ = self.news_tx.send(AgentNews::Closed { reason }).await;
    }

    async fn serve(&mut self, (mut sender, mut receiver): Halves) -> End {
        if let Err(error) = self.repeat(&mut sender).await {
            return broke(&error);
        }
        let mut pings = tokio::time::interval(PING_EVERY);
        pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut sent, mut answered) = (0u64, 0u64);
        loop {
            let outcome = tokio::select! {
                order = self.order_rx.recv() => match order {
                    Some(Order::Ask(request, answer_tx)) => {
                        let id = self.keep(request.clone(), answer_tx);
                        send(&mut sender, &ToAgent::Request(id, request)).await
                    }
                    Some(Order::Ping(time_tx)) => {
                        sent += 1;
                        self.timed.insert(sent, (Instant::now(), time_tx));
                        send(&mut sender, &ToAgent::Ping(sent)).await
                    }
                    Some(Order::Close(reason, done_tx)) => {
                        let farewell = ToAgent::Close { reason: reason.clone() };
                        let farewell = send(&mut sender, &farewell).await;
                        let _ = done_tx.send(farewell.is_ok());
                        return End::Over(farewell.map_or_else(|error| error.to_string(), |()| reason));
                    }
                    None => return End::Over("the session ended".into()),
                },
                // A link comes only after the last one was lost.
                Some(_) = self.halves_rx.recv() => return End::HungUp,
                message = receiver.next() => match message {
                    None => return match receiver.close_reason() {
                        Some(reason) => self.said_goodbye(reason.to_owned()),
                        None => End::Lost("the agent ended or the connection to it was lost".into()),
                    },
                    Some(Err(error)) => Err(error.into()),
                    Some(Ok(message)) => match codec::decode(&message) {
                        Err(error) => Err(error.into()),
                        Ok(FromAgent::Close { reason }) => return self.said_goodbye(reason),
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
                            let _ = self.news_tx.send(AgentNews::Notice(notice)).await;
                            Ok(())
                        }
                    },
                },
                _ = pings.tick() => {
                    if sent - answered >= PINGS_LOST {
                        return End::Lost(format!(
                            "the agent has not answered for {} s",
                            PING_EVERY.as_secs() * PINGS_LOST
                        ));
                    }
                    sent += 1;
                    send(&mut sender, &ToAgent::Ping(sent)).await
                }
            };
            if let Err(error) = outcome {
                return broke(&error);
            }
        }
    }

    fn said_goodbye(&self, reason: String) -> End {
        if self.is_held {
            End::Lost(reason)
        } else {
            End::Over(reason)
        }
    }

    /// Keeps a question until it is answered.
    fn keep(
        &mut self,
        request: Request,
        answer_tx: oneshot::Sender<Result<Answer, RemoteError>>,
    ) -> RequestId {
        let id = self.next_id;
        self.next_id += 1;
        self.waiting.insert(id, Waiting { request, answer_tx });
        id
    }

    fn answer(&mut self, id: RequestId, answer: Result<Answer, RemoteError>) {
        match self.waiting.remove(&id) {
            // Whoever asked may have gone away.
            Some(waiting) => drop(waiting.answer_tx.send(answer)),
            None => tracing::warn!("the agent answered a question ({id}) that nobody asked"),
        }
    }
}

async fn send(sender: &mut MessageSender, message: &ToAgent) -> Result<()> {
    sender.send(codec::encode(message)?.into()).await?;
    Ok(())
}

fn broke(error: &anyhow::Error) -> End {
    End::Lost(error.to_string())
}
