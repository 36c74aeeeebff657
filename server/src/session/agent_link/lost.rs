//! The control link while there is none: what waits, what fails, and what is true already.

use anyhow::Result;
use mirrord_link::MessageSender;
use mirrord_protocol::control::{Answer, RemoteError, Request, ToAgent};

use super::{Halves, Order, Task, send};

/// What becomes of a question whose link is lost.
enum Fate {
    /// It is asked again on the next link: nothing of it is left in the agent.
    Repeat,
    /// The loss has done it.
    Done(Answer),
    /// It fails.
    Fail,
}

fn fate(request: &Request) -> Fate {
    match request {
        // An agent that is called anew has given back all that was subscribed on the last link.
        Request::Target | Request::Resolve { .. } | Request::Subscribe(_) => Fate::Repeat,
        Request::Unsubscribe { .. } => Fate::Done(Answer::Unsubscribed),
        Request::Rekey { .. } => Fate::Fail,
    }
}

/// The answer when there is no agent.
pub(super) fn gone() -> RemoteError {
    RemoteError {
        errno: libc::ENOTCONN,
        message: "the agent is gone".into(),
    }
}

impl Task {
    /// Keeps what can wait until the session gives the next link; `Err`: there will be none.
    pub(super) async fn wait_for_link(&mut self) -> Result<Halves, String> {
        self.timed.clear();
        for (id, waiting) in std::mem::take(&mut self.waiting) {
            match fate(&waiting.request) {
                Fate::Repeat => drop(self.waiting.insert(id, waiting)),
                // Whoever asked may have gone away.
                Fate::Done(answer) => drop(waiting.answer_tx.send(Ok(answer))),
                Fate::Fail => drop(waiting.answer_tx.send(Err(gone()))),
            }
        }
        loop {
            tokio::select! {
                halves = self.halves_rx.recv() => match halves {
                    Some(Some(halves)) => return Ok(halves),
                    // It was lost before the session let go of it.
                    Some(None) => {}
                    None => return Err("the session ended".into()),
                },
                order = self.order_rx.recv() => match order {
                    Some(Order::Ask(request, answer_tx)) => match fate(&request) {
                        Fate::Repeat => drop(self.keep(request, answer_tx)),
                        Fate::Done(answer) => drop(answer_tx.send(Ok(answer))),
                        Fate::Fail => drop(answer_tx.send(Err(gone()))),
                    },
                    // No time can be told.
                    Some(Order::Ping(_)) => {}
                    Some(Order::Close(reason, done_tx)) => {
                        let _ = done_tx.send(false);
                        return Err(reason);
                    }
                    None => return Err("the session ended".into()),
                },
            }
        }
    }

    /// Asks on a new link what the last one did not answer, in the old order.
    pub(super) async fn repeat(&mut self, sender: &mut MessageSender) -> Result<()> {
        self.waiting
            .retain(|_, waiting| !waiting.answer_tx.is_closed());
        let mut waiting: Vec<_> = self.waiting.iter().collect();
        waiting.sort_by_key(|(id, _)| **id);
        for (id, waiting) in waiting {
            send(sender, &ToAgent::Request(*id, waiting.request.clone())).await?;
        }
        Ok(())
    }
}
