//! The daemon: one process for each user, which every editor speaks to.
//!
//! It only controls. Sessions are processes of their own that outlive it; a new daemon finds them
//! by their folders. [`crate::stdio`] starts it and forwards an editor's bytes to it.

pub mod client;
pub mod clusters;
pub mod configs;
pub mod connection;
pub mod documents;
pub mod failure;
pub mod framing;
pub mod greeting;
pub mod idle;
pub mod launches;
pub mod live;
pub mod log;
pub mod methods;
pub mod orphans;
pub mod outbox;
pub mod peer;
pub mod reception;
pub mod request;
pub mod saved;
pub mod service;
pub mod sessions;
pub mod socket;
pub mod state;
pub mod uri;
pub mod views;

use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

use self::state::Daemon;

/// Without sessions and clients it ends after this time.
pub const IDLE: Duration = Duration::from_secs(600);

/// How it runs.
pub struct Options {
    /// The listening socket.
    pub listener: UnixListener,
    /// When it ends without sessions and clients.
    pub idle: Duration,
    /// The log filter.
    pub log: String,
}

/// Runs until it is stopped or idle.
pub fn run(options: Options) -> Result<()> {
    crate::roles::refuse_if_supervised()?;
    let state_folder = log::state_folder()?;
    log::start(&state_folder, &options.log)?;
    let runtime = runtime()?;
    let result = runtime.block_on(serve(options, Daemon::new(state_folder)));
    // A handler that blocks must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Serves the one client on stdin and stdout, without a socket.
pub fn run_for_one(log: &str) -> Result<()> {
    crate::roles::refuse_if_supervised()?;
    let state_folder = log::state_folder()?;
    log::start(&state_folder, log)?;
    let runtime = runtime()?;
    runtime.block_on(async {
        let daemon = Daemon::new(state_folder);
        let _connected = daemon.connected();
        tokio::spawn(orphans::wait());
        connection::serve(tokio::io::stdin(), tokio::io::stdout(), daemon).await;
    });
    // Reading stdin cannot be interrupted.
    runtime.shutdown_background();
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("mirrord")
        .enable_all()
        .build()
        .context("could not start the event loop")
}

async fn serve(options: Options, daemon: Arc<Daemon>) -> Result<()> {
    options
        .listener
        .set_nonblocking(true)
        .context("could not use the daemon's socket")?;
    let listener = tokio::net::UnixListener::from_std(options.listener)
        .context("could not use the daemon's socket")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopping = daemon.stopping();
    tokio::spawn(orphans::wait());
    tracing::info!("mirrord-server {} began", greeting::VERSION);
    let waiting = idle::wait(Arc::clone(&daemon), options.idle);
    tokio::pin!(waiting);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    tokio::spawn(reception::receive(stream, Arc::clone(&daemon)));
                }
                Err(error) => {
                    // Out of descriptors, most likely: others may close some soon.
                    tracing::error!("could not accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            },
            () = &mut waiting => break,
            () = stopping.cancelled() => break,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    reception::leave_socket();
    // Whoever connected in the last moment finds the connection closed and tries again.
    drop(listener);
    stopping.cancel();
    let mut connections = daemon.connections();
    let gone = connections.wait_for(|count| *count == 0);
    if tokio::time::timeout(Duration::from_secs(15), gone)
        .await
        .is_err()
    {
        tracing::warn!("ended with clients that did not");
    }
    tracing::info!("mirrord-server ended");
    Ok(())
}
