//! The session's control socket: who may ask (the same user), how many at once, and what is
//! answered here. What changes the session becomes an [`Order`] for its loop.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use mirrord_protocol::session_control::{
    CONTROL_SOCKET, FromSession, SessionAnswer, SessionError, SessionRequest, ToSession,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::board::Board;
use super::frames::{self, Sender};
use super::{logs, refusal};

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 64;
/// Questions of one connection that may wait for their answers.
const QUESTIONS: usize = 16;

/// What is answered.
pub type Answered = Result<SessionAnswer, SessionError>;

/// Something for the session's loop.
pub enum Order {
    /// A question that is not answered here.
    Ask(SessionRequest, oneshot::Sender<Answered>),
    /// A process that was bound is gone.
    BoundEnded(i32),
}

/// What every connection needs.
struct Shared {
    board: Board,
    folder: PathBuf,
    order_tx: mpsc::Sender<Order>,
}

/// Listens in the session's folder, which only its user may enter.
pub fn listen(folder: &Path, board: Board, order_tx: mpsc::Sender<Order>) -> Result<()> {
    let path = folder.join(CONTROL_SOCKET);
    let what = || format!("could not make the control socket {}", path.display());
    let listener = UnixListener::bind(&path).with_context(what)?;
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, private).with_context(what)?;
    let shared = Arc::new(Shared {
        board,
        folder: folder.to_owned(),
        order_tx,
    });
    tokio::spawn(accept(listener, shared));
    Ok(())
}

async fn accept(listener: UnixListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((socket, _)) if is_ours(&socket) => {
                let shared = shared.clone();
                let visitor = shared.board.visitor();
                tokio::spawn(async move {
                    if let Err(error) = serve(socket, &shared).await {
                        tracing::debug!("a control connection ended: {error:#}");
                    }
                    shared.board.events.forget_gone();
                    drop((place, visitor));
                });
            }
            Ok(_) => tracing::warn!("refused another user at the session's control socket"),
            Err(error) => {
                tracing::warn!("could not accept on the session's control socket: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

fn is_ours(socket: &UnixStream) -> bool {
    let ours = rustix::process::getuid().as_raw();
    socket
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == ours || peer.uid() == 0)
}

async fn serve(socket: UnixStream, shared: &Shared) -> Result<()> {
    let (mut sender, mut receiver) = frames::split(socket);
    let mut answers = FuturesUnordered::new();
    let mut told_rx: Option<mpsc::Receiver<FromSession>> = None;
    loop {
        tokio::select! {
            asked = receiver.next::<ToSession>(), if answers.len() < QUESTIONS => {
                let Some(ToSession { id, request }) = asked? else {
                    return Ok(());
                };
                if let SessionRequest::Subscribe { since_seq, local } = request {
                    told_rx = Some(subscribe(shared, &mut sender, id, since_seq, local).await?);
                } else {
                    answers.push(async move { (id, answer(shared, request).await) });
                }
            }
            Some((id, result)) = answers.next() => {
                sender.send(&FromSession::Answer { id, result }).await?;
            }
            Some(told) = next(&mut told_rx) => sender.send(&told).await?,
        }
    }
}

/// Waits for ever where there is no subscription, and after its end.
async fn next(told_rx: &mut Option<mpsc::Receiver<FromSession>>) -> Option<FromSession> {
    match told_rx {
        Some(told_rx) => told_rx.recv().await,
        None => std::future::pending().await,
    }
}

async fn subscribe(
    shared: &Shared,
    sender: &mut Sender,
    id: u64,
    since_seq: u64,
    local: bool,
) -> Result<mpsc::Receiver<FromSession>> {
    let subscription = shared.board.events.subscribe(since_seq, local);
    let answer = SessionAnswer::Subscribed {
        next_seq: subscription.next_seq,
    };
    let result = Ok(answer);
    sender.send(&FromSession::Answer { id, result }).await?;
    for told in &subscription.past {
        sender.send(told).await?;
    }
    Ok(subscription.told_rx)
}

async fn answer(shared: &Shared, request: SessionRequest) -> Answered {
    match request {
        SessionRequest::Status => Ok(SessionAnswer::Status(Box::new(shared.board.status()))),
        SessionRequest::Logs { lines } => logs::last(&shared.folder, lines),
        request => {
            let (answer_tx, answer_rx) = oneshot::channel();
            let over = || refusal::plain("ended", "the session is over");
            shared
                .order_tx
                .send(Order::Ask(request, answer_tx))
                .await
                .map_err(|_| over())?;
            answer_rx.await.map_err(|_| over())?
        }
    }
}
