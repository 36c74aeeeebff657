//! Questions and events to the session, over the inherited `SOCK_SEQPACKET` socket.
//!
//! Questions carry a ticket; [`SessionLink::ask`] registers it before sending, so an answer can
//! never come too early. Events are bounded: when the session reads too slowly they are counted
//! and thrown away, and no supervised call ever waits for them.
//!
//! Whoever waits for an answer reads the socket itself, for all: the session's answer then wakes
//! the thread that needs it, not one that wakes it in turn (a wake-up on another CPU costs 30 µs
//! and more on virtual machines). One thread ([`SessionLink::read_until_end`]) reads when nobody
//! waits.

use std::{
    collections::{HashMap, VecDeque},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::SyncSender,
    },
    thread,
    time::{Duration, Instant},
};

use mirrord_protocol::{
    codec,
    event::EventKind,
    local::{FromSupervisor, Ticket, ToSupervisor},
};
use rustix::{
    event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll},
    io::Errno,
    net::{RecvFlags, SendFlags},
};

use crate::call::{Cancelled, Lead};

/// Largest packet that is read; the session's are addresses and sentences.
const PACKET: usize = 16 * 1024;

/// How long the reading thread leaves the socket to others before it looks again.
const LEFT_TO_READERS: Duration = Duration::from_millis(1);

/// The link; shared by all threads of a worker.
pub struct SessionLink {
    me: Weak<SessionLink>,
    socket: OwnedFd,
    news: Mutex<News>,
    next_ticket: AtomicU64,
    /// Events for decisions "remote" are wanted.
    events: AtomicBool,
    /// And for those that stay here.
    local_events: AtomicBool,
    /// Who tells the layer.
    on_report: Mutex<Option<OnReport>>,
    /// Who takes other rules.
    on_rules: Mutex<Option<OnRules>>,
    dropped: AtomicU64,
    waiting: Mutex<HashMap<Ticket, Weak<Mailbox>>>,
    /// Threads that wait for an answer and read meanwhile.
    readers: AtomicUsize,
    /// Somebody read since the reading thread last looked.
    was_read: AtomicBool,
    /// The end, when one of `readers` came upon it.
    end: Mutex<Option<SessionEnd>>,
    /// Takes the sockets whose peers refuse, see [`ToSupervisor::Refused`].
    pub(crate) refused_tx: OnceLock<SyncSender<u64>>,
    /// Listeners with callers, see [`FromSupervisor::Idle`].
    pub(crate) listeners: AtomicUsize,
}

/// What must not be lost and waits for room in the socket.
#[derive(Default)]
struct News {
    waiting: VecDeque<FromSupervisor>,
    /// A thread sends what waits.
    being_sent: bool,
}

type OnReport = Box<dyn Fn(bool, bool) + Send>;

/// Where in the file of rules, and how long.
type OnRules = Box<dyn Fn(u64, usize) -> Result<(), String> + Send>;

struct Mailbox {
    arrived: Mutex<VecDeque<ToSupervisor>>,
    event: OwnedFd,
}

/// The answers to one ticket; dropping it forgets the ticket (send
/// [`FromSupervisor::Abandon`] first when the session should stop working on it).
pub struct Answers {
    /// The ticket, for later messages about it.
    pub ticket: Ticket,
    link: Arc<SessionLink>,
    mailbox: Arc<Mailbox>,
}

/// Why no answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoAnswer {
    /// The caller died or gave up.
    Cancelled,
    /// The deadline passed.
    TimedOut,
}

impl SessionLink {
    /// Takes the socket over. `generation` keeps the tickets of a replaced worker apart;
    /// `report` is which decisions are wanted as events, remote ones and local ones.
    pub fn new(socket: OwnedFd, generation: u16, report: (bool, bool)) -> Arc<SessionLink> {
        Arc::new_cyclic(|me| SessionLink {
            me: me.clone(),
            socket,
            news: Mutex::default(),
            next_ticket: AtomicU64::new((u64::from(generation) << 48) | 1),
            events: AtomicBool::new(report.0 || report.1),
            local_events: AtomicBool::new(report.1),
            on_report: Mutex::default(),
            on_rules: Mutex::default(),
            dropped: AtomicU64::new(0),
            waiting: Mutex::default(),
            readers: AtomicUsize::new(0),
            was_read: AtomicBool::new(false),
            end: Mutex::default(),
            refused_tx: OnceLock::new(),
            listeners: AtomicUsize::new(0),
        })
    }

    /// Sends a question made from a fresh ticket and opens the mailbox for its answers.
    pub fn ask(
        self: &Arc<Self>,
        question: impl FnOnce(Ticket) -> FromSupervisor,
    ) -> io::Result<Answers> {
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let mailbox = Arc::new(Mailbox {
            arrived: Mutex::default(),
            event,
        });
        lock(&self.waiting).insert(ticket, Arc::downgrade(&mailbox));
        let answers = Answers {
            ticket,
            link: self.clone(),
            mailbox,
        };
        self.send(&question(ticket))?;
        Ok(answers)
    }

    /// Sends a message that is not an event; waits when the session is slow.
    pub fn send(&self, message: &FromSupervisor) -> io::Result<()> {
        let bytes = codec::encode(message).map_err(io::Error::other)?;
        loop {
            match rustix::net::send(&self.socket, &bytes, SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Whether somebody listens to per-call events; look before making the text of one.
    pub fn events_wanted(&self) -> bool {
        self.events.load(Ordering::Relaxed)
    }

    /// Whether events are wanted for calls that stay on this machine.
    pub fn local_events_wanted(&self) -> bool {
        self.local_events.load(Ordering::Relaxed)
    }

    /// Has `tell` told which decisions are wanted, whenever that changes: those that lead to the
    /// pod, and those that stay here.
    pub(crate) fn on_report(&self, tell: impl Fn(bool, bool) + Send + 'static) {
        *lock(&self.on_report) = Some(Box::new(tell));
    }

    /// Has `take` take rules that the session puts in force.
    pub(crate) fn on_rules(
        &self,
        take: impl Fn(u64, usize) -> Result<(), String> + Send + 'static,
    ) {
        *lock(&self.on_rules) = Some(Box::new(take));
    }

    fn rules(&self, number: u64, offset: u64, len: usize) {
        let result = match &*lock(&self.on_rules) {
            Some(take) => take(offset, len),
            None => Err("nobody takes other rules".into()),
        };
        self.tell(FromSupervisor::RulesInForce { number, result });
    }

    fn report(&self, remote: bool, local: bool) {
        self.events.store(remote || local, Ordering::Relaxed);
        self.local_events.store(local, Ordering::Relaxed);
        if let Some(tell) = &*lock(&self.on_report) {
            tell(remote, local);
        }
    }

    /// Tells the session something; never waits, see [`FromSupervisor::EventsDropped`].
    pub fn event(&self, event: EventKind) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 && !self.try_send(&FromSupervisor::EventsDropped(dropped)) {
            self.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
        if !self.try_send(&FromSupervisor::Event(event)) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Tells something that the session must hear, in the order of these calls. Never waits: where
    /// the session reads too slowly, a thread of its own does.
    pub(crate) fn tell(&self, message: FromSupervisor) {
        let mut news = lock(&self.news);
        if news.being_sent {
            news.waiting.push_back(message);
            return;
        }
        if self.try_send(&message) {
            return;
        }
        news.waiting.push_back(message);
        let Some(link) = self.me.upgrade() else {
            return;
        };
        let builder = thread::Builder::new().name("news".into());
        match builder.spawn(move || link.send_news()) {
            Ok(_) => news.being_sent = true,
            // With the next one.
            Err(error) => tracing::error!(%error, "could not start a thread for news"),
        }
    }

    fn send_news(&self) {
        loop {
            let mut news = lock(&self.news);
            let Some(message) = news.waiting.pop_front() else {
                news.being_sent = false;
                return;
            };
            drop(news);
            if let Err(error) = self.send(&message) {
                tracing::debug!(%error, "the session is gone before it heard all");
            }
        }
    }

    /// Tells that nothing is supervised any more.
    pub(crate) fn idle(&self) {
        self.tell(FromSupervisor::Idle);
    }

    fn try_send(&self, message: &FromSupervisor) -> bool {
        let Ok(bytes) = codec::encode(message) else {
            return false;
        };
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        rustix::net::send(&self.socket, &bytes, flags).is_ok()
    }

    /// Reads the socket for as long as the session lives, putting answers into their mailboxes;
    /// returns the reason to end. Runs on one thread, which leaves the reading to those who wait
    /// for answers while there are any, and looks after what they leave.
    pub(crate) fn read_until_end(&self) -> SessionEnd {
        loop {
            while self.was_read.swap(false, Ordering::AcqRel) || self.has_readers() {
                thread::sleep(LEFT_TO_READERS);
            }
            self.wait_for_message();
            if !self.has_readers() {
                self.read_some();
            }
            if let Some(end) = lock(&self.end).take() {
                return end;
            }
        }
    }

    fn has_readers(&self) -> bool {
        self.readers.load(Ordering::Acquire) > 0
    }

    fn has_ended(&self) -> bool {
        lock(&self.end).is_some()
    }

    fn wait_for_message(&self) {
        if self.has_ended() {
            return;
        }
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => {
                tracing::error!(%errno, "could not wait for the session");
                *lock(&self.end) = Some(SessionEnd::Gone);
            }
        }
    }

    /// Reads what is there without waiting.
    fn read_some(&self) {
        let mut buf = [0; PACKET];
        while !self.has_ended() {
            let end = match rustix::net::recv(&self.socket, &mut buf[..], RecvFlags::DONTWAIT) {
                Ok((0, _)) => SessionEnd::Gone,
                Ok((len, _)) => match codec::decode::<ToSupervisor>(&buf[..len]) {
                    Ok(ToSupervisor::End { reason, grace_ms }) => SessionEnd::Asked {
                        reason,
                        grace: Duration::from_millis(grace_ms),
                    },
                    Ok(message) => {
                        self.deliver(message);
                        continue;
                    }
                    Err(error) => {
                        tracing::error!(%error, "unreadable message from the session");
                        continue;
                    }
                },
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return,
                Err(errno) => {
                    tracing::error!(%errno, "could not read from the session");
                    SessionEnd::Gone
                }
            };
            *lock(&self.end) = Some(end);
        }
    }

    fn deliver(&self, message: ToSupervisor) {
        let ticket = match &message {
            ToSupervisor::Connected { ticket, .. }
            | ToSupervisor::Connecting { ticket, .. }
            | ToSupervisor::Resolved { ticket, .. }
            | ToSupervisor::Listening { ticket, .. } => *ticket,
            ToSupervisor::ProgramEnded => {
                if self.listeners.load(Ordering::Acquire) == 0 {
                    self.idle();
                }
                return;
            }
            ToSupervisor::Rules {
                number,
                offset,
                len,
            } => return self.rules(*number, *offset, *len as usize),
            ToSupervisor::Report { remote, local } => return self.report(*remote, *local),
            ToSupervisor::Refused { socket } => {
                // More than fit in it tell the program nothing new.
                let full = |tx: &SyncSender<u64>| tx.try_send(*socket).is_err();
                if self.refused_tx.get().is_some_and(full) {
                    tracing::debug!("left out a refused datagram");
                }
                return;
            }
            ToSupervisor::End { .. } => return,
        };
        let mailbox = lock(&self.waiting).get(&ticket).and_then(Weak::upgrade);
        let Some(mailbox) = mailbox else { return };
        lock(&mailbox.arrived).push_back(message);
        if let Err(errno) = rustix::io::write(&mailbox.event, &1u64.to_ne_bytes()) {
            tracing::error!(%errno, "could not wake the thread that waits for an answer");
        }
    }
}

/// Why the session link ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionEnd {
    /// The session's process is gone.
    Gone,
    /// It said so.
    Asked {
        /// For the user.
        reason: String,
        /// How long programs have to end by themselves.
        grace: Duration,
    },
}

impl Answers {
    /// Waits for the next answer to this ticket.
    pub fn next(
        &self,
        cancelled: &Cancelled,
        within: Option<Duration>,
    ) -> Result<ToSupervisor, NoAnswer> {
        let deadline = within.map(|within| Instant::now() + within);
        let _reader = Reader::begin(&self.link);
        loop {
            if let Some(answer) = self.take() {
                return Ok(answer);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(NoAnswer::TimedOut);
            }
            let timeout = left.map(|left| Timespec {
                tv_sec: left.as_secs() as i64,
                tv_nsec: left.subsec_nanos().into(),
            });
            // An end is the reading thread's; the socket would be readable for ever.
            let session = (!self.link.has_ended()).then(|| self.link.socket.as_fd());
            let lead = cancelled.lead();
            let calls = lead.and_then(Lead::calls);
            // Our own event stands in for what is not waited for.
            let mut fds = [
                PollFd::from_borrowed_fd(self.fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(cancelled.fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(session.unwrap_or(self.fd()), PollFlags::IN),
                PollFd::from_borrowed_fd(calls.unwrap_or(self.fd()), PollFlags::IN),
            ];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => tracing::error!(%errno, "could not wait for the session's answer"),
            }
            let [answer, cancel, message, call] = fds.map(|fd| !fd.revents().is_empty());
            if cancel && !answer {
                return Err(NoAnswer::Cancelled);
            }
            if let (Some(lead), Some(_), true) = (lead, calls, call) {
                lead.hand_on();
            }
            if session.is_some() && message {
                self.link.read_some();
            }
        }
    }

    /// The next answer if it is there already.
    pub fn take(&self) -> Option<ToSupervisor> {
        let answer = lock(&self.mailbox.arrived).pop_front();
        if answer.is_some() {
            let _ = rustix::io::read(&self.mailbox.event, &mut [0; 8]);
        }
        answer
    }

    /// Readable when an answer may be there, for a poll of one's own.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.mailbox.event.as_fd()
    }
}

/// A thread that waits for an answer, and reads.
struct Reader<'a>(&'a SessionLink);

impl<'a> Reader<'a> {
    fn begin(link: &'a SessionLink) -> Reader<'a> {
        link.readers.fetch_add(1, Ordering::AcqRel);
        Reader(link)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // In this order: the reading thread never finds nobody reading and nobody having read.
        self.0.was_read.store(true, Ordering::Release);
        self.0.readers.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        lock(&self.link.waiting).remove(&self.ticket);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
