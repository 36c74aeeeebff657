//! A link that is lost: it is sought, and what was on its way is asked again or fails.
//!
//! The agent keeps the nodes it handed out while a session may come back, so a call means the
//! same on the next link. What the pod changed meanwhile is seen as always: nothing is believed
//! for longer than it was before. A node that an answer named which got lost stays handed out
//! until the session's end; there are as few as calls can be on their way.

use std::time::Duration;

use mirrord_link::{LinkError, redial};
use mirrord_protocol::files::Op;

use super::{Agent, Halves, Link};

/// The session gives up before us, so that its programs are ended with the reason and never see the
/// errors of a file server that is gone.
const SESSION_FIRST: Duration = Duration::from_secs(1);

/// Whether an operation may be done once more that perhaps was done already. Not one that changes
/// something: it could undo what the pod did in between.
pub(super) fn may_repeat(op: &Op) -> bool {
    match op {
        Op::Walk { .. }
        | Op::Lookup { .. }
        | Op::Attr { .. }
        | Op::List { .. }
        | Op::Read { .. }
        | Op::Sync { .. }
        | Op::StatFs { .. }
        | Op::Access { .. }
        | Op::Seek { .. }
        | Op::GetXattr { .. }
        | Op::ListXattr { .. } => true,
        Op::Write { .. }
        | Op::SetAttr { .. }
        | Op::Mknod { .. }
        | Op::Mkdir { .. }
        | Op::Symlink { .. }
        | Op::Link { .. }
        | Op::Rename { .. }
        | Op::Remove { .. }
        | Op::Allocate { .. }
        | Op::SetXattr { .. }
        | Op::RemoveXattr { .. }
        | Op::Forget { .. }
        | Op::Cancel { .. } => false,
    }
}

impl Agent {
    /// Serves one link, and each that follows it, until there is none any more.
    pub(super) async fn keep<D: Future<Output = Result<Halves, LinkError>>>(
        &self,
        link: &Link,
        mut halves: Halves,
        patience: Duration,
        dial: impl Fn() -> D,
    ) -> Result<(), LinkError> {
        loop {
            let (sender, receiver) = &mut halves;
            let error = tokio::select! {
                Err(error) = link.write(sender) => error,
                error = self.read(link, receiver) => error,
            };
            if patience.is_zero() {
                return Err(error);
            }
            tracing::info!(%error, "a link of file calls was lost");
            link.lose();
            // Its descriptor goes now: the search may take as long as the agent's patience.
            drop(halves);
            halves = redial(patience + SESSION_FIRST, &dial).await?;
        }
    }
}

impl Link {
    /// Calls that were on their way go to the head of the queue again, in their order, or fail.
    fn lose(&self) {
        let mut waiting = self.waiting.borrow_mut();
        let mut sent: Vec<u64> = waiting
            .iter()
            .filter(|(_, call)| call.sent)
            .map(|(id, _)| *id)
            .collect();
        sent.sort_unstable();
        let mut outgoing = self.outgoing.borrow_mut();
        for id in sent.into_iter().rev() {
            match waiting.get_mut(&id) {
                Some(call) if call.may_repeat => {
                    call.sent = false;
                    call.listed.clear();
                    outgoing.push_front((id, call.message.clone()));
                }
                _ => {
                    tracing::warn!("a change was on its way when the link was lost: EIO");
                    // Without its sender it fails.
                    waiting.remove(&id);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
