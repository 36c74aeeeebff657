//! Calls that resolve a path: which machine a name means, and doing the call in the pod.
//!
//! A call is decoded ([`request`]), its paths are decided ([`decide`], [`resolve`]), and what is
//! the pod's is done on the session's mount ([`job`] and the files beside it): at once when the
//! agent's answer about the path is still fresh and the kernel has everything cached, otherwise
//! as blocking work. This module never waits on the thread that received a call.

mod attributes;
mod change;
mod decide;
mod directories;
mod facts;
mod job;
mod kind;
mod look;
mod numbers;
mod open;
mod pod;
mod process;
mod programs;
mod request;
#[cfg(target_arch = "x86_64")]
mod request_x86_64;
mod resolve;
pub(crate) mod roots;
mod sys;
#[cfg(test)]
mod tests;
mod times;
mod tree;
mod written;

use std::{os::fd::AsRawFd, sync::Arc};

use mirrord_files::FilesClient;
use mirrord_protocol::event::EventKind;
use mirrord_rules::Mapper;

use self::{
    decide::Target,
    job::{Arguments, Job},
    kind::Kind,
    pod::Pod,
    request::Request,
};
use crate::{
    call::{Call, Interrupt, Outcome, Plan},
    context::Context,
    error::SupervisorError,
    handler::Handler,
    live_rules::LiveRules,
    session_link::SessionLink,
    tracee::Tracee,
};

/// Plans for calls that resolve a path.
pub struct Paths {
    shared: Option<Arc<Shared>>,
    hostname: Option<Arc<[u8]>>,
}

/// What all path calls share.
pub(crate) struct Shared {
    rules: LiveRules,
    mapper: Mapper,
    pod: Box<dyn Pod>,
    events: Events,
    facts: facts::Facts,
    written: written::Written,
    directories: directories::Directories,
    programs: programs::Programs,
    /// Device number of the mount.
    device: Option<(u32, u32)>,
    /// What `/proc` shows in front of paths on the mount, when it is not detached.
    mount_point: Option<Vec<u8>>,
    roots: Arc<roots::Roots>,
}

/// Where decisions are told.
pub(crate) enum Events {
    Session(Arc<SessionLink>),
    #[cfg(test)]
    Kept(std::sync::Mutex<Vec<EventKind>>),
}

impl Events {
    fn wanted(&self, stays_here: bool) -> bool {
        match self {
            Events::Session(link) if stays_here => link.local_events_wanted(),
            Events::Session(link) => link.events_wanted(),
            #[cfg(test)]
            Events::Kept(_) => true,
        }
    }

    fn emit(&self, event: EventKind) {
        match self {
            Events::Session(link) => link.event(event),
            #[cfg(test)]
            Events::Kept(kept) => kept.lock().unwrap().push(event),
        }
    }
}

impl Paths {
    /// Reads the rules and greets the file server.
    pub fn new(context: &Context) -> Result<Self, SupervisorError> {
        let hostname = context.hostname.clone();
        let Some(files) = context.files() else {
            return Ok(Paths {
                shared: None,
                hostname,
            });
        };
        let files = files
            .try_clone_to_owned()
            .map_err(SupervisorError::setup("keep the socket to the file server"))?;
        let client = match context.generation {
            0 => FilesClient::from_fd(files),
            _ => FilesClient::again(files),
        };
        let client = client
            .map_err(std::io::Error::other)
            .map_err(SupervisorError::setup("reach the file server"))?;
        let events = Events::Session(context.session.clone());
        let limits = client.limits().map(str::to_owned);
        let (rules, roots) = (context.rules.clone(), context.roots.clone());
        let shared = Shared::new(rules, Box::new(client), events, roots)?;
        if let Some(limits) = limits {
            shared.notice(format!(
                "the pod's files are shown without a mount: {limits}"
            ));
        }
        if let Some((major, minor)) = shared.device {
            context.set_mount_device(libc::makedev(major, minor));
        }
        Ok(Paths {
            shared: Some(Arc::new(shared)),
            hostname,
        })
    }
}

impl Shared {
    fn new(
        rules: LiveRules,
        pod: Box<dyn Pod>,
        events: Events,
        roots: Arc<roots::Roots>,
    ) -> Result<Self, SupervisorError> {
        sys::clear_umask();
        let mapper =
            Mapper::new(rules.get()).map_err(|error| SupervisorError::Rules(error.to_string()))?;
        let io = std::io::Error::from_raw_os_error;
        let (mut device, mut mount_point) = (None, None);
        if let Some(mount) = pod.root() {
            let link = format!("/proc/self/fd/{}", mount.as_raw_fd());
            let identity = sys::identity(link.as_bytes()).map_err(io);
            let identity = identity.map_err(SupervisorError::setup(
                "look at the mount of the pod's files",
            ))?;
            device = Some(identity.device);
            let shown = rustix::fs::readlink(link, Vec::new()).map_err(SupervisorError::setup(
                "look at the mount of the pod's files",
            ))?;
            mount_point = Some(shown.into_bytes()).filter(|path| path != b"/");
        }
        Ok(Shared {
            rules,
            mapper,
            pod,
            events,
            facts: facts::Facts::default(),
            written: written::Written::default(),
            directories: directories::Directories::default(),
            programs: programs::Programs::default(),
            device,
            mount_point,
            roots,
        })
    }

    fn notice(&self, text: String) {
        self.events.emit(EventKind::Notice {
            level: "warn".to_owned(),
            text,
        });
    }

    fn plan(self: &Arc<Self>, call: &Call, tracee: &Tracee) -> Plan {
        let Some(request) = request::decode(call, tracee) else {
            return Plan::Continue;
        };
        let Ok(target) = self.target(tracee, &request, request.at) else {
            return Plan::Continue;
        };
        let second = match request.second {
            None => None,
            Some(at) => match self.target(tracee, &request, at) {
                Ok(target) => Some(target),
                Err(_) => return Plan::Continue,
            },
        };
        match (&target, &second) {
            (Target::Kernel, None | Some(Target::Kernel)) => {
                if request.kind == Kind::ChangeDirectory {
                    self.leave_kept_directory(&request, tracee);
                }
                return Plan::Continue;
            }
            (Target::Missing, _) => return Plan::Done(Outcome::errno(libc::ENOENT)),
            (Target::Kernel, Some(_)) => return Plan::Done(Outcome::errno(libc::EXDEV)),
            _ => {}
        }
        let job = match self.job(request, target, second, tracee) {
            Ok(job) => job,
            Err(errno) => return Plan::Done(Outcome::errno(errno)),
        };
        match job.quick() {
            Some(outcome) => Plan::Done(outcome),
            None => Plan::Blocking {
                interrupt: Interrupt::AlwaysRestart,
                work: Box::new(move |cancelled| job.run(cancelled)),
            },
        }
    }

    fn job(
        self: &Arc<Self>,
        request: Request,
        target: Target,
        second: Option<Target>,
        tracee: &Tracee,
    ) -> sys::Errno<Job> {
        let errno = |e: rustix::io::Errno| e.raw_os_error();
        let umask = match job::makes(&request.kind) {
            true => tracee.status().map_err(errno)?.umask,
            false => 0,
        };
        Ok(Job {
            shared: self.clone(),
            arguments: Arguments::read(&request.kind, tracee)?,
            request,
            target,
            second,
            creds: job::other_ids(tracee),
            umask,
            tgid: tracee.tgid().map_err(errno)?,
        })
    }

    /// The kernel is about to change the real working directory: it is valid again, if that
    /// works.
    fn leave_kept_directory(&self, request: &Request, tracee: &Tracee) {
        if self.directories.of(tracee).is_none() {
            return;
        }
        let (Ok(tgid), Ok(path)) = (tracee.tgid(), tracee.read_path(request.at.path)) else {
            return;
        };
        if self.enter(&path).is_ok() {
            self.directories.clear(tgid);
        }
    }
}

impl Handler for Paths {
    fn calls(&self) -> &'static [i64] {
        match self.shared {
            Some(_) => numbers::CALLS,
            None if self.hostname.is_some() => &[libc::SYS_uname],
            None => &[],
        }
    }

    fn plan(&self, call: &Call, tracee: &Tracee) -> Plan {
        match (&self.shared, &self.hostname) {
            (_, Some(hostname)) if call.nr == libc::SYS_uname => process::uname(call, hostname),
            (Some(shared), _) if call.nr == libc::SYS_getcwd => shared.getcwd(call, tracee),
            (Some(shared), _) => shared.plan(call, tracee),
            (None, _) => Plan::Continue,
        }
    }

    fn process_joins(&self, pid: i32) {
        if let Some(shared) = &self.shared
            && let Err(errno) = shared.roots.joined(pid)
        {
            let error = std::io::Error::from_raw_os_error(errno);
            tracing::warn!("could not look at the root folder of process {pid}: {error}");
        }
    }

    fn process_ended(&self, tgid: i32) {
        if let Some(shared) = &self.shared {
            shared.directories.forget(tgid);
            shared.programs.forget(tgid);
        }
    }
}
