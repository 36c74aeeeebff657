//! A system call that the kernel turned over to us, and what is to become of it.
//!
//! The core ([`crate`]'s loop) receives calls and carries out plans; the modules `paths` and
//! `net` only make plans. A plan never touches the tracee's memory for writing and never answers
//! the kernel itself: the core does both, so that a call that a signal interrupted can be
//! answered again from the same outcome and nothing is done twice.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// One notified call (seccomp_unotify(2)). `tid` is the caller's thread id as we see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Call {
    /// The notification's cookie; 0 is never used by the kernel.
    pub id: u64,
    /// Calling thread.
    pub tid: i32,
    /// System call number of this architecture.
    pub nr: i64,
    /// Arguments as passed in registers.
    pub args: [u64; 6],
}

/// What shall happen with a call.
pub enum Plan {
    /// The kernel does it, as if we were not here.
    Continue,
    /// It is done already; deliver this.
    Done(Outcome),
    /// It may block: the core runs it on a thread of its own, watches for signals meanwhile, and
    /// delivers what it returns. The work must end soon after its token is cancelled (the caller
    /// died, or the call was given up) and must undo what it began.
    Blocking {
        /// How an interrupted call is answered.
        interrupt: Interrupt,
        /// The work.
        work: Box<dyn FnOnce(&Cancelled) -> Outcome + Send>,
    },
    /// As [`Plan::Blocking`], where all waiting is for the session, in
    /// [`Answers::next`](crate::session_link::Answers::next). The thread that received the call
    /// then waits for further calls there too, and no second thread is woken unless one comes.
    Asking {
        /// How an interrupted call is answered.
        interrupt: Interrupt,
        /// The work.
        work: Box<dyn FnOnce(&Cancelled) -> Outcome + Send>,
    },
}

/// Tells running work that nobody waits for it any more. `fd` becomes readable then, so that work
/// can poll it beside what it waits for.
pub struct Cancelled {
    word: Arc<Word>,
    lead: Option<Arc<dyn Lead>>,
}

/// The lead of a crew, kept while work waits for the session.
pub(crate) trait Lead: Send + Sync {
    /// Readable when another call comes; `None` once the lead was handed on.
    fn calls(&self) -> Option<BorrowedFd<'_>>;

    /// Lets another thread receive.
    fn hand_on(&self);
}

impl Cancelled {
    /// Makes a token around an `eventfd(2)` that the core will write to.
    pub fn new(event: OwnedFd) -> Self {
        Cancelled::shared(Arc::new(Word::new(event)))
    }

    pub(crate) fn shared(word: Arc<Word>) -> Self {
        Cancelled { word, lead: None }
    }

    /// Lets the work keep the lead while it waits for the session.
    pub(crate) fn keep_lead(&mut self, lead: Arc<dyn Lead>) {
        self.lead = Some(lead);
    }

    /// The lead, if this thread has it.
    pub(crate) fn lead(&self) -> Option<&dyn Lead> {
        self.lead.as_deref()
    }

    /// Looks what became readable: true when the caller is to leave and the work goes on, false
    /// when nobody wants it any more.
    pub fn is_to_let_go(&self) -> bool {
        let mut value = [0; 8];
        let read = rustix::io::read(&self.word.event, &mut value);
        if read.is_ok() && u64::from_ne_bytes(value) < Word::GIVEN_UP {
            return true;
        }
        // Readable again for whoever looks next.
        self.word.say(Word::GIVEN_UP);
        false
    }

    /// What the caller leaves behind is as it should find it.
    pub fn let_go(&self) {
        self.word.may_leave.store(true, Ordering::Release);
    }

    /// The descriptor to poll for reading.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.word.event.as_fd()
    }
}

/// What work and the one who looks after its caller tell each other.
pub(crate) struct Word {
    event: OwnedFd,
    may_leave: AtomicBool,
}

impl Word {
    /// The caller is to leave.
    pub(crate) const LET_GO: u64 = 1;
    /// Nobody wants the work any more; more than all others can add up to.
    pub(crate) const GIVEN_UP: u64 = 1 << 32;

    /// Around an `eventfd(2)`.
    pub(crate) fn new(event: OwnedFd) -> Word {
        Word {
            event,
            may_leave: AtomicBool::new(false),
        }
    }

    /// Tells the work.
    pub(crate) fn say(&self, word: u64) {
        if let Err(errno) = rustix::io::write(&self.event, &word.to_ne_bytes()) {
            tracing::error!(%errno, "could not tell the work for a call that its caller leaves");
        }
    }

    /// Whether the work has let its caller go.
    pub(crate) fn may_leave(&self) -> bool {
        self.may_leave.load(Ordering::Acquire)
    }
}

/// What the program sees when a signal arrives while we work for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// The call is started again whatever the handler's flags are, and picks up the finished
    /// work (`ERESTARTNOINTR`): path calls, which the kernel itself never fails with EINTR.
    AlwaysRestart,
    /// `SA_RESTART` decides between starting again and EINTR (`ERESTARTSYS`): calls that wait
    /// for a peer, as `accept`, `recvfrom` and a blocking `connect` do (signal(7)). The work is
    /// cancelled unless the same call comes again.
    BySignalFlags,
    /// As [`Interrupt::BySignalFlags`], and the work is told beforehand
    /// ([`Cancelled::is_to_let_go`]), for it goes on without a caller: a blocking `connect`.
    Detaches,
}

impl Interrupt {
    /// Whether `SA_RESTART` decides.
    pub(crate) fn is_by_flags(self) -> bool {
        matches!(self, Interrupt::BySignalFlags | Interrupt::Detaches)
    }
}

/// The result of a call.
#[derive(Default)]
pub struct Outcome {
    /// Value, descriptor or errno.
    pub value: Value,
    /// Bytes to write into the caller's memory before the call returns; a failing write turns
    /// the answer into EFAULT.
    pub writes: Vec<(u64, Vec<u8>)>,
    /// Called after the caller has its answer (or, with `false`, when it never will), for
    /// instance to enter an address into a table under the descriptor that it received.
    pub delivered: Option<Box<dyn FnOnce(bool) + Send>>,
}

/// The value a call returns.
#[derive(Debug)]
pub enum Value {
    /// A number, zero for success.
    Number(i64),
    /// A positive errno number.
    Errno(i32),
    /// A descriptor to put into the caller's table; the call returns its number.
    Fd {
        /// Our descriptor; closed here afterwards.
        fd: OwnedFd,
        /// `O_CLOEXEC` in the caller.
        cloexec: bool,
    },
    /// A descriptor to put in the place of one of the caller's; the call returns zero. Other
    /// descriptors of what stood there keep it.
    Replace {
        /// Our descriptor; closed here afterwards.
        fd: OwnedFd,
        /// The caller's number.
        at: i32,
        /// `O_CLOEXEC` in the caller.
        cloexec: bool,
    },
    /// Let the kernel do the call after all (decided late).
    Continue,
}

impl Default for Value {
    fn default() -> Self {
        Value::Number(0)
    }
}

impl From<Value> for Outcome {
    fn from(value: Value) -> Self {
        Outcome {
            value,
            ..Outcome::default()
        }
    }
}

impl Outcome {
    /// A failed call.
    pub fn errno(errno: i32) -> Self {
        Outcome {
            value: Value::Errno(errno),
            ..Outcome::default()
        }
    }

    /// A successful call that returns a number.
    pub fn number(number: i64) -> Self {
        Outcome {
            value: Value::Number(number),
            ..Outcome::default()
        }
    }

    /// Adds bytes to be written to the caller's memory.
    #[must_use]
    pub fn write(mut self, address: u64, bytes: Vec<u8>) -> Self {
        self.writes.push((address, bytes));
        self
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Plan::Continue => f.write_str("Continue"),
            Plan::Done(outcome) => f.debug_tuple("Done").field(&outcome.value).finish(),
            Plan::Blocking { interrupt, .. } => f.debug_tuple("Blocking").field(interrupt).finish(),
            Plan::Asking { interrupt, .. } => f.debug_tuple("Asking").field(interrupt).finish(),
        }
    }
}
