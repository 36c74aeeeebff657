//! Calls to the agent, over the link for names and the link for content.
//!
//! Each link that is lost is sought by itself; calls wait meanwhile, and those that were on their
//! way are asked again, or fail where doing something twice differs from doing it once
//! ([`mod@lost`]).
//!
//! Everything runs on one thread. What waits for an answer is bounded by who asks: the kernel's
//! requests and the supervisor's threads, and for reading ahead by [`crate::content`].

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    collections::VecDeque,
    convert::Infallible,
    rc::Rc,
    time::Duration,
};

use bytes::Bytes;
use mirrord_link::{LinkError, MessageReceiver, MessageSender};
use mirrord_protocol::{
    codec,
    creds::Creds,
    files::{Answer, Call, Listed, NodeId, Op, Reply},
    hello::Purpose,
};
use tokio::sync::{Notify, oneshot};

mod lost;

type Answered = Result<(Answer, Bytes), i32>;

/// Both links.
pub(crate) struct Agent {
    names: Link,
    content: Link,
    deadline: Duration,
    /// Nodes in answers that nobody waited for any more, to be given back.
    strays: RefCell<Vec<(NodeId, u64)>>,
}

/// Both halves of a link that stands.
pub(crate) type Halves = (MessageSender, MessageReceiver);

/// One link.
#[derive(Default)]
struct Link {
    last: Cell<u64>,
    waiting: RefCell<HashMap<u64, Waiting>>,
    /// Messages with the number of their call; 0: nobody waits for an answer.
    outgoing: RefCell<VecDeque<(u64, Bytes)>>,
    wake: Notify,
    /// For good.
    closed: Cell<bool>,
}

struct Waiting {
    answer: oneshot::Sender<Answered>,
    listed: Vec<Listed>,
    /// The call, for another link.
    message: Bytes,
    may_repeat: bool,
    /// It may have reached the agent.
    sent: bool,
}

impl Agent {
    pub(crate) fn new(deadline: Duration) -> Agent {
        Agent {
            names: Link::default(),
            content: Link::default(),
            deadline,
            strays: RefCell::default(),
        }
    }

    /// Serves both links until one of them ends for good. `dial` makes one again that was lost,
    /// which is tried for so long as `patience` says.
    pub(crate) async fn run<D: Future<Output = Result<Halves, LinkError>>>(
        &self,
        (names, content): (Halves, Halves),
        patience: Duration,
        dial: impl Fn(Purpose) -> D,
    ) -> Result<(), LinkError> {
        let result = tokio::select! {
            result = self.keep(&self.names, names, patience, || dial(Purpose::Files)) => result,
            result = self.keep(&self.content, content, patience, || dial(Purpose::FileContent)) => {
                result
            }
        };
        for link in [&self.names, &self.content] {
            link.closed.set(true);
            // Dropping the senders fails the calls that wait.
            link.waiting.borrow_mut().clear();
        }
        result
    }

    /// A call about names or attributes.
    pub(crate) async fn ask(&self, op: Op, creds: Option<Creds>) -> Result<Answer, i32> {
        Ok(self.call(&self.names, op, creds, &[]).await?.0)
    }

    /// A walk, with what it brought along.
    pub(crate) async fn walk(&self, op: Op, creds: Option<Creds>) -> Answered {
        self.call(&self.names, op, creds, &[]).await
    }

    /// A call that moves content.
    pub(crate) async fn transfer(&self, op: Op, creds: Option<Creds>, payload: &[u8]) -> Answered {
        self.call(&self.content, op, creds, payload).await
    }

    /// Gives nodes back, and strays with them.
    pub(crate) fn forget(&self, mut nodes: Vec<(NodeId, u64)>) {
        nodes.append(&mut self.strays.borrow_mut());
        for nodes in nodes.chunks(4096) {
            let op = Op::Forget {
                nodes: nodes.to_vec(),
            };
            self.names.tell(op);
        }
    }

    async fn call(&self, link: &Link, op: Op, creds: Option<Creds>, payload: &[u8]) -> Answered {
        if link.closed.get() {
            return Err(libc::EIO);
        }
        let id = link.last.get() + 1;
        link.last.set(id);
        let may_repeat = lost::may_repeat(&op);
        let mut message = codec::encode(&Call { id, creds, op }).map_err(|error| {
            tracing::error!(%error, "a file call could not be encoded");
            libc::EIO
        })?;
        message.extend_from_slice(payload);
        let message = Bytes::from(message);
        let (answer, answered) = oneshot::channel();
        link.waiting.borrow_mut().insert(
            id,
            Waiting {
                answer,
                listed: Vec::new(),
                message: message.clone(),
                may_repeat,
                sent: false,
            },
        );
        link.send(id, message);
        let guard = GiveUp { link, id };
        let result = tokio::time::timeout(self.deadline, answered).await;
        if let Ok(Ok(answered)) = result {
            std::mem::forget(guard);
            return answered;
        }
        if result.is_err() {
            tracing::warn!(after = ?self.deadline, "the agent did not answer a file call");
        }
        Err(libc::EIO)
    }

    async fn read(&self, link: &Link, receiver: &mut MessageReceiver) -> LinkError {
        while let Some(message) = receiver.next().await {
            let message = match message {
                Ok(message) => message,
                Err(error) => return error,
            };
            let (reply, payload) = match codec::decode_prefix::<Reply>(&message) {
                Ok((reply, payload)) => (reply, message.slice_ref(payload)),
                Err(error) => {
                    tracing::error!(%error, "an answer of the agent could not be read");
                    continue;
                }
            };
            self.take(link, reply, payload);
        }
        let reason = receiver.close_reason().unwrap_or_default().to_owned();
        LinkError::Closed { reason }
    }

    fn take(&self, link: &Link, reply: Reply, payload: Bytes) {
        let mut waiting = link.waiting.borrow_mut();
        let Some(who) = waiting.get_mut(&reply.id) else {
            return self.stray(&reply);
        };
        let mut result = reply.result;
        if let Ok(Answer::Listing(listed)) = &mut result {
            who.listed.append(listed);
            if reply.more {
                return;
            }
            *listed = std::mem::take(&mut who.listed);
        }
        if let Some(who) = waiting.remove(&reply.id) {
            // Whoever waited was given up in this very moment.
            if let Err(Ok((answer, _))) = who.answer.send(result.map(|answer| (answer, payload))) {
                self.stray(&Reply {
                    id: reply.id,
                    more: false,
                    result: Ok(answer),
                });
            }
        }
    }

    fn stray(&self, reply: &Reply) {
        let Ok(answer) = &reply.result else { return };
        let mut strays = self.strays.borrow_mut();
        match answer {
            Answer::Entry(entry) => strays.push((entry.node, 1)),
            Answer::Walked(walked) => {
                let entries = walked.steps.iter().filter_map(|step| step.entry.as_ref());
                strays.extend(entries.map(|entry| (entry.node, 1)));
                let listed = walked
                    .end
                    .iter()
                    .filter_map(|end| end.listing.as_ref())
                    .flatten();
                strays.extend(listed.filter_map(|name| Some((name.entry.as_ref()?.node, 1))));
            }
            Answer::Listing(listed) => strays.extend(
                listed
                    .iter()
                    .filter_map(|name| Some((name.entry.as_ref()?.node, 1))),
            ),
            _ => {}
        }
    }
}

impl Link {
    fn send(&self, id: u64, message: Bytes) {
        self.outgoing.borrow_mut().push_back((id, message));
        self.wake.notify_one();
    }

    /// A call without an answer.
    fn tell(&self, op: Op) {
        if self.closed.get() {
            return;
        }
        match codec::encode(&Call {
            id: 0,
            creds: None,
            op,
        }) {
            Ok(message) => self.send(0, message.into()),
            Err(error) => tracing::error!(%error, "a file call could not be encoded"),
        }
    }

    async fn write(&self, sender: &mut MessageSender) -> Result<Infallible, LinkError> {
        loop {
            let next = { self.outgoing.borrow_mut().pop_front() };
            match next {
                Some((id, message)) => {
                    if let Some(waiting) = self.waiting.borrow_mut().get_mut(&id) {
                        waiting.sent = true;
                    }
                    sender.feed(message).await?;
                }
                None => {
                    sender.flush().await?;
                    if self.outgoing.borrow().is_empty() {
                        self.wake.notified().await;
                    }
                }
            }
        }
    }
}

/// Ends a call whose asker went away or waited too long.
struct GiveUp<'a> {
    link: &'a Link,
    id: u64,
}

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        let Some(given_up) = self.link.waiting.borrow_mut().remove(&self.id) else {
            return;
        };
        if given_up.sent {
            self.link.tell(Op::Cancel { id: self.id });
        } else {
            let mut outgoing = self.link.outgoing.borrow_mut();
            outgoing.retain(|(id, _)| *id != self.id);
        }
    }
}

/// For [`Agent`]'s users that share it.
pub(crate) type SharedAgent = Rc<Agent>;
