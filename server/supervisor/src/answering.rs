//! One call from its arrival to its answer.
//!
//! The crews ([`crate::crew`]) receive; this decides who makes the plan, carries it out and
//! delivers. It holds no state of its own beyond the session's registers.

use std::{
    os::fd::{AsFd, BorrowedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use mirrord_filter::control::{self, Request};
use mirrord_protocol::event::EventKind;
use rustix::{
    event::{EventfdFlags, eventfd},
    io::Errno,
};

use crate::{
    call::{Call, Cancelled, Lead, Outcome, Plan, Value, Word},
    flight::{Flight, Waiting},
    flights::{Flights, Returned},
    handler::Handler,
    listener::{Listener, Reply},
    memory,
    processes::Processes,
    session_link::SessionLink,
    shared::{Noted, Shared},
    shared_table::SharedTable,
    terms::{Launch, Token},
    tracee::Tracee,
};

/// Numbers of system calls are below this on every architecture we know.
const NUMBERS: usize = 512;

/// Everything that answering needs; one for a worker.
pub(crate) struct Core {
    pub processes: Processes,
    pub flights: Flights,
    pub shared: Shared,
    pub session: Arc<SessionLink>,
    table: SharedTable,
    launch: Option<Arc<Launch>>,
    handlers: Vec<Arc<dyn Handler>>,
    dispatch: [Option<u8>; NUMBERS],
}

/// What became of a call so far.
pub(crate) enum Step {
    /// It has its answer, or will get it from work that is under way.
    Answered,
    /// It may take long: let somebody else receive, then [`Core::carry_out`].
    Long(Long),
}

/// Work that is to be done for a call.
pub(crate) struct Long {
    flight: Arc<Flight>,
    cancelled: Cancelled,
    work: Box<dyn FnOnce(&Cancelled) -> Outcome + Send>,
    /// It only waits for the session.
    asks: bool,
}

impl Long {
    /// Whether it can go on receiving calls meanwhile, see [`Plan::Asking`].
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// Lets it.
    pub fn keep_lead(&mut self, lead: Arc<dyn Lead>) {
        self.cancelled.keep_lead(lead);
    }
}

impl Core {
    /// Puts the parts together; earlier handlers win.
    pub fn new(
        session: Arc<SessionLink>,
        shared: Shared,
        table: SharedTable,
        launch: Option<Arc<Launch>>,
        handlers: Vec<Arc<dyn Handler>>,
    ) -> Result<Core, Errno> {
        let mut dispatch = [None; NUMBERS];
        for (index, handler) in handlers.iter().enumerate().rev() {
            for nr in handler.calls() {
                if let Some(entry) = usize::try_from(*nr)
                    .ok()
                    .and_then(|nr| dispatch.get_mut(nr))
                {
                    *entry = Some(index as u8);
                }
            }
        }
        let processes = Processes::new(session.clone(), shared)?;
        let flights = Flights::default();
        Ok(Core {
            processes,
            flights,
            shared,
            session,
            table,
            launch,
            handlers,
            dispatch,
        })
    }

    /// Answers a call, or says that it will take long.
    pub fn begin(&self, listener: &Arc<Listener>, call: Call, noted: Noted) -> Step {
        let waiting = Waiting {
            listener: listener.clone(),
            id: call.id,
            noted,
        };
        if let Some(request) = Request::of_call(call.nr, &call.args) {
            self.answer_control(request, &call, waiting);
            return Step::Answered;
        }
        // A thread that cannot be found is being killed.
        let Ok(found) = self.processes.of_thread(call.tid) else {
            self.deliver(&call, waiting, Outcome::from(Value::Continue));
            return Step::Answered;
        };
        if found.replaced {
            for handler in &self.handlers {
                handler.process_replaced(found.process.tgid);
            }
        }
        if matches!(call.nr, libc::SYS_execve | libc::SYS_execveat) {
            self.processes.replacing(call.tid);
        }
        let handler = self.handler(call.nr);
        let (Some(handler), false) = (handler, found.exempt) else {
            self.deliver(&call, waiting, Outcome::from(Value::Continue));
            return Step::Answered;
        };
        let waiting = match self.flights.returned(&call, waiting) {
            Returned::Waits => return Step::Answered,
            Returned::Done(waiting, outcome) => {
                self.deliver(&call, waiting, outcome);
                return Step::Answered;
            }
            Returned::New(waiting) => waiting,
        };
        let process = &found.process;
        let (tgid, pidfd) = (process.tgid, process.pidfd.clone());
        let tracee = Tracee::of_call(call.tid, listener.clone(), call.id, tgid, pidfd);
        let plan = catch_unwind(AssertUnwindSafe(|| handler.plan(&call, &tracee)));
        let plan = plan.unwrap_or_else(|_| Plan::Done(self.handler_panicked(&call)));
        let asks = matches!(plan, Plan::Asking { .. });
        match plan {
            Plan::Continue => self.deliver(&call, waiting, Outcome::from(Value::Continue)),
            Plan::Done(outcome) => self.deliver(&call, waiting, outcome),
            Plan::Blocking { interrupt, work } | Plan::Asking { interrupt, work } => {
                // What was read may have been another process's memory.
                if !listener.is_valid(call.id) {
                    return Step::Answered;
                }
                let cancel = match eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK) {
                    Ok(event) => Arc::new(Word::new(event)),
                    Err(errno) => {
                        self.deliver(&call, waiting, Outcome::errno(errno.raw_os_error()));
                        return Step::Answered;
                    }
                };
                let cancelled = Cancelled::shared(cancel.clone());
                let flight = Arc::new(Flight::new(call, interrupt, cancel, waiting));
                self.flights.add(&flight);
                return Step::Long(Long {
                    flight,
                    cancelled,
                    work,
                    asks,
                });
            }
        }
        Step::Answered
    }

    /// Does the long part and delivers.
    pub fn carry_out(&self, long: Long) {
        let Long {
            flight,
            cancelled,
            work,
            ..
        } = long;
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&cancelled)))
            .unwrap_or_else(|_| self.handler_panicked(&flight.call));
        let over = flight.finish(outcome, |call, waiting, outcome| {
            self.deliver(call, waiting, outcome);
        });
        if over {
            self.flights.remove(&flight);
        }
    }

    /// A process gave its listener.
    pub fn process_joins(&self, pid: i32) {
        for handler in &self.handlers {
            handler.process_joins(pid);
        }
    }

    /// A process ended.
    pub fn process_ended(&self, tgid: i32) {
        for handler in &self.handlers {
            handler.process_ended(tgid);
        }
    }

    fn handler(&self, nr: i64) -> Option<&Arc<dyn Handler>> {
        let index = (*self.dispatch.get(usize::try_from(nr).ok()?)?)?;
        self.handlers.get(usize::from(index))
    }

    fn answer_control(&self, request: Request, call: &Call, waiting: Waiting) {
        let outcome = match request {
            Request::Probe => Outcome::number(control::SUPERVISED as i64),
            Request::Table => given(self.table.fd()),
            Request::Environment => match self.launch_shown(call) {
                Some(launch) => given(launch.changes.as_fd()),
                None => Outcome::errno(libc::EPERM),
            },
        };
        self.deliver(call, waiting, outcome);
    }

    /// The launch, when the caller has its token.
    fn launch_shown(&self, call: &Call) -> Option<&Launch> {
        let launch = self.launch.as_deref()?;
        let tracee = Tracee::of_thread(call.tid);
        let shown = Token(tracee.read_array(call.args[4]).ok()?);
        launch.token.is(&shown).then_some(launch)
    }

    /// Writes what there is to write and answers.
    fn deliver(&self, call: &Call, waiting: Waiting, outcome: Outcome) {
        let Waiting {
            listener,
            id,
            noted,
        } = waiting;
        let Outcome {
            value,
            writes,
            delivered,
        } = outcome;
        let done = write_all(&listener, id, call, &writes)
            .map(|()| reply(&listener, id, &value))
            .unwrap_or_else(|errno| listener.reply(id, Reply::Errno(errno.raw_os_error())));
        drop(noted);
        if let Err(errno) = done
            && errno != Errno::NOENT
        {
            tracing::error!(%errno, ?call, ?value, "could not answer a call");
        }
        if let Some(delivered) = delivered {
            delivered(done.is_ok());
        }
    }

    fn handler_panicked(&self, call: &Call) -> Outcome {
        let text = format!(
            "answering system call {} of thread {} failed inside mirrord-server; the program sees EIO. Please report it with the lines above",
            call.nr, call.tid
        );
        self.session.event(EventKind::Notice {
            level: "error".into(),
            text,
        });
        Outcome::errno(libc::EIO)
    }
}

/// A descriptor of ours for the caller.
fn given(fd: BorrowedFd<'_>) -> Outcome {
    match fd.try_clone_to_owned() {
        Ok(fd) => Outcome::from(Value::Fd { fd, cloexec: true }),
        Err(error) => Outcome::errno(error.raw_os_error().unwrap_or(libc::EMFILE)),
    }
}

fn write_all(
    listener: &Listener,
    id: u64,
    call: &Call,
    writes: &[(u64, Vec<u8>)],
) -> Result<(), Errno> {
    if !writes.is_empty() && !listener.is_valid(id) {
        return Err(Errno::NOENT);
    }
    writes
        .iter()
        .try_for_each(|(address, bytes)| memory::write_all(call.tid, *address, bytes))
}

fn reply(listener: &Listener, id: u64, value: &Value) -> Result<(), Errno> {
    match value {
        Value::Number(number) => listener.reply(id, Reply::Number(*number)),
        Value::Errno(errno) => listener.reply(id, Reply::Errno(*errno)),
        Value::Continue => listener.reply(id, Reply::Continue),
        Value::Replace { fd, at, cloexec } => {
            match listener.replace_fd(id, fd.as_fd(), *at, *cloexec) {
                Ok(()) => listener.reply(id, Reply::Number(0)),
                Err(Errno::NOENT) => Err(Errno::NOENT),
                Err(errno) => listener.reply(id, Reply::Errno(errno.raw_os_error())),
            }
        }
        Value::Fd { fd, cloexec } => match listener.reply_fd(id, fd.as_fd(), *cloexec) {
            // The caller's own limit (EMFILE) is its own error.
            Err(errno) if errno != Errno::NOENT => {
                listener.reply(id, Reply::Errno(errno.raw_os_error()))
            }
            done => done,
        },
    }
}
