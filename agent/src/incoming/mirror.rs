//! Mirrored ports: what clients send to the pod's program, copied to the session.
//!
//! The capture is passive: it looks at packets that arrive and puts each client's bytes in order
//! again. Nothing of the pod is redirected, delayed or answered; when this side cannot follow, it
//! is the copy that ends, with a notice.

use std::collections::HashMap;
use std::io;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mirrord_link::Streams;
use mirrord_protocol::control::{AddressPair, IncomingMode, Notice};
use mirrord_protocol::streams::StreamHeader;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod any_packets;
mod copies;
mod filter;
mod flows;
mod packet;
mod reassembly;
mod ring;

pub use any_packets::any_packets;
use copies::{CopySender, Held};
use flows::{Flows, Outside};
use ring::{Chooser, Ring};

/// How long the capture thread sleeps at most before it looks whether it is still needed.
const TICK: Duration = Duration::from_millis(200);
const SWEEP: Duration = Duration::from_secs(1);

/// The mirrored ports of a session. Dropping it ends the capture; copies that are under way are
/// reset.
pub(super) struct Mirror {
    chooser: Chooser,
    ports: Arc<Ports>,
}

struct Ports {
    /// Port → subscription.
    mirrored: Mutex<HashMap<u16, u64>>,
    changed: AtomicBool,
    over: AtomicBool,
}

/// What the capture thread needs to start copies.
struct Copying {
    ports: Arc<Ports>,
    held: Arc<Held>,
    streams: Streams,
    notices: mpsc::Sender<Notice>,
    runtime: Handle,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Mirror {
    /// Starts a capture of the network namespace that this thread is in; no port is captured yet.
    pub(super) fn start(
        streams: Streams,
        notices: mpsc::Sender<Notice>,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> io::Result<Mirror> {
        let (ring, chooser) = Ring::open().map_err(|error| {
            io::Error::new(
                error.kind(),
                format!(
                    "could not open a packet capture: {error} (mirroring needs CAP_NET_RAW in \
                     the target's network namespace, and AF_PACKET in the kernel)"
                ),
            )
        })?;
        let ports = Arc::new(Ports {
            mirrored: Mutex::default(),
            changed: AtomicBool::new(false),
            over: AtomicBool::new(false),
        });
        let copying = Copying {
            ports: ports.clone(),
            held: Arc::default(),
            streams,
            notices,
            runtime: Handle::current(),
            stop,
            tasks,
        };
        // A thread of its own: while the runtime is busy the ring would fill.
        std::thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || capture(ring, copying))?;
        Ok(Mirror { chooser, ports })
    }

    /// Mirrors a port for a subscription.
    pub(super) fn add(&self, port: u16, subscription: u64) -> io::Result<()> {
        let mut mirrored = self.ports.lock();
        if mirrored.len() >= filter::PORTS_MAX {
            return Err(io::Error::other(format!(
                "at most {} ports can be mirrored at one time",
                filter::PORTS_MAX
            )));
        }
        mirrored.insert(port, subscription);
        self.choose(&mirrored).inspect_err(|_| {
            mirrored.remove(&port);
        })
    }

    /// Mirrors a port no longer.
    pub(super) fn remove(&self, port: u16) -> io::Result<()> {
        let mut mirrored = self.ports.lock();
        mirrored.remove(&port);
        self.ports.changed.store(true, Ordering::Release);
        self.choose(&mirrored)
    }

    fn choose(&self, mirrored: &HashMap<u16, u64>) -> io::Result<()> {
        let ports: Vec<u16> = mirrored.keys().copied().collect();
        self.chooser.choose(&ports)
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.ports.over.store(true, Ordering::Release);
    }
}

impl Ports {
    fn lock(&self) -> MutexGuard<'_, HashMap<u16, u64>> {
        self.mirrored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn capture(mut ring: Ring, mut copying: Copying) {
    let mut flows = Flows::default();
    let mut swept = Instant::now();
    while !copying.ports.over.load(Ordering::Acquire) && !copying.stop.is_cancelled() {
        let now = Instant::now();
        let took = ring.next_block(TICK.as_millis() as u32, |bytes, verified| {
            if let Some(segment) = packet::parse(bytes, verified) {
                flows.segment(segment, now, &mut copying);
            }
        });
        if let Err(error) = took {
            copying.tell(format!(
                "Mirroring has ended: the packet capture failed ({error}). Start the session \
                 again to go on."
            ));
            return;
        }
        if copying.ports.changed.swap(false, Ordering::AcqRel) {
            let mirrored = copying.ports.lock();
            flows.keep_ports(|port| mirrored.contains_key(&port));
        }
        if now.duration_since(swept) >= SWEEP {
            swept = now;
            flows.sweep(now, &mut copying);
        }
    }
}

impl Copying {
    fn tell(&self, text: String) {
        let notice = Notice::Log {
            level: "warn".to_owned(),
            text,
        };
        if let Err(error) = self.notices.try_send(notice) {
            tracing::warn!("a notice could not be sent: {error}");
        }
    }
}

impl Outside for Copying {
    fn open(&mut self, addresses: AddressPair) -> Option<CopySender> {
        let subscription = *self.ports.lock().get(&addresses.server.port())?;
        // What the pod only forwards is not its own program's.
        UdpSocket::bind((addresses.server.ip(), 0)).ok()?;
        let header = StreamHeader::Incoming {
            subscription,
            mode: IncomingMode::Mirror,
            addresses,
        };
        let (sender, receiver) = copies::copy(&self.held);
        let forward = receiver.forward(self.streams.clone(), header);
        let stop = self.stop.clone();
        let task = async move {
            if let Some(Err(error)) = stop.run_until_cancelled(forward).await {
                tracing::debug!(?addresses, "a mirrored connection ended early: {error}");
            }
        };
        self.tasks.spawn_on(task, &self.runtime);
        Some(sender)
    }

    fn given_up(&mut self, addresses: AddressPair, reason: &'static str) {
        self.tell(format!(
            "The copy of the connection from {} to port {} of the pod was cut: {reason}. The \
             pod's own connection is not affected.",
            addresses.client,
            addresses.server.port()
        ));
    }
}
