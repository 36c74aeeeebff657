//! What a request's handler can know of its own request: whether it was cancelled, and how to
//! undo what it began.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static CURRENT: Context;
}

/// A request under way.
#[derive(Clone, Default)]
pub struct Context {
    cancelled: CancellationToken,
    undoes: Arc<AtomicBool>,
}

impl Context {
    /// The request whose handler runs now; one that is never cancelled outside of a request.
    pub fn current() -> Context {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    /// Runs a handler that sees this context.
    pub async fn scope<T>(self, handler: impl Future<Output = T>) -> T {
        CURRENT.scope(self, handler).await
    }

    /// Cancels it. False: its handler has nothing to undo and can simply be dropped.
    #[must_use]
    pub fn cancel(&self) -> bool {
        self.cancelled.cancel();
        self.undoes.load(Ordering::Acquire)
    }

    /// The handler has something to undo from here on: it watches the token itself and is not
    /// simply dropped. The request is answered when it returns.
    pub fn undoes_by_itself(&self) -> CancellationToken {
        self.undoes.store(true, Ordering::Release);
        self.cancelled.clone()
    }
}
