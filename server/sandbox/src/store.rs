//! The sandboxes of one user: a folder (mode 0700) with a folder for each sandbox, which holds its
//! wishes (`spec.json`), what it is (`info.json`, there when it is ready) and its log.
//!
//! Whoever starts or ends a sandbox holds a lock (flock(2)) on its folder, so commands that run
//! at the same time do not meet half-made things. The sandbox's first process shares the lock
//! until it is told to stay: a killed starter's half-made sandbox has gone when the lock is free. A folder that nobody holds and that has no
//! living first process is what a killed command or pod left: it is removed.

use std::fs::{self, DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::process::Signal;

use crate::error::SandboxError;
use crate::info::{SandboxInfo, State};
use crate::process;
use crate::sandbox::Sandbox;
use crate::spec::{SandboxSpec, check_name};
use crate::start;

/// How long processes in a sandbox have to end by themselves.
const END_POLITELY: Duration = Duration::from_millis(1500);
/// How long the kernel has to end them.
const END_BY_FORCE: Duration = Duration::from_secs(5);
/// How long one command waits for another.
const WAIT_FOR_LOCK: Duration = Duration::from_secs(20);

/// The sandboxes of one user.
#[derive(Clone, Debug)]
pub struct Sandboxes {
    folder: PathBuf,
    program: PathBuf,
}

impl Sandboxes {
    /// The sandboxes kept in this folder, which is made (mode 0700) when the first is started.
    /// `program` is the binary that calls [`crate::run_role`] first; usually the current one.
    pub fn new(folder: impl Into<PathBuf>, program: impl Into<PathBuf>) -> Self {
        Sandboxes {
            folder: folder.into(),
            program: program.into(),
        }
    }

    /// Starts a sandbox and waits until its services answer. On error nothing is left of it.
    pub fn up(&self, spec: &SandboxSpec) -> Result<Sandbox, SandboxError> {
        spec.check()?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(SandboxError::io("make the folder", &self.folder))?;
        let held = self.hold_new(&spec.name)?;
        match start::start(&held.path, &held.folder, spec, &self.program) {
            Ok(info) => Ok(Sandbox::new(info, held.path.clone(), self.program.clone())),
            Err(error) => {
                held.remove()?;
                Err(error)
            }
        }
    }

    /// All sandboxes and how they are, by name. Dead ones are shown this once and removed.
    pub fn list(&self) -> Result<Vec<(SandboxInfo, State)>, SandboxError> {
        let mut found = Vec::new();
        for name in self.names()? {
            let path = self.folder.join(&name);
            let info = read_info(&path)?;
            let state = info.as_ref().map_or(State::Dead, SandboxInfo::state);
            if state == State::Dead
                && let Some(held) = Held::take(&path, FlockOperation::NonBlockingLockExclusive)?
                // Between the look and the lock it may have been started anew.
                && read_info(&path)?.is_none_or(|info| info.state() == State::Dead)
            {
                held.remove()?;
            }
            found.extend(info.map(|info| (info, state)));
        }
        found.sort_by(|(left, _), (right, _)| left.name.cmp(&right.name));
        Ok(found)
    }

    /// The running sandbox of this name.
    pub fn find(&self, name: &str) -> Result<Sandbox, SandboxError> {
        check_name(name)?;
        let path = self.folder.join(name);
        let info = read_info(&path)?.ok_or_else(|| SandboxError::NotFound(name.to_owned()))?;
        match info.state() {
            State::Dead => Err(SandboxError::Dead(name.to_owned())),
            State::Running | State::TargetGone => {
                Ok(Sandbox::new(info, path, self.program.clone()))
            }
        }
    }

    /// Ends a sandbox: all its processes, and with them its namespaces, mounts and sockets. When
    /// this returns they are gone. A dead sandbox is removed.
    pub fn down(&self, name: &str) -> Result<(), SandboxError> {
        check_name(name)?;
        let path = self.folder.join(name);
        let deadline = Instant::now() + WAIT_FOR_LOCK;
        let held = loop {
            if let Some(held) = Held::take(&path, FlockOperation::NonBlockingLockExclusive)? {
                break held;
            }
            if !path.exists() {
                return Err(SandboxError::NotFound(name.to_owned()));
            }
            if Instant::now() > deadline {
                return Err(SandboxError::Busy(name.to_owned()));
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let Some(info) = read_info(&held.path)? else {
            held.remove()?;
            return Err(SandboxError::NotFound(name.to_owned()));
        };
        end(&info)?;
        held.remove()
    }

    fn names(&self) -> Result<Vec<String>, SandboxError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(SandboxError::io("list", &self.folder)(error)),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter(|name| check_name(name).is_ok()).collect())
    }

    /// Makes the folder of a new sandbox and takes its lock.
    fn hold_new(&self, name: &str) -> Result<Held, SandboxError> {
        let path = self.folder.join(name);
        for _ in 0..100 {
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(SandboxError::io("make the folder", &path)(error)),
            }
            let Some(held) = Held::take(&path, FlockOperation::NonBlockingLockExclusive)? else {
                if path.exists() {
                    return Err(SandboxError::Busy(name.to_owned()));
                }
                continue;
            };
            match read_info(&path)?.map(|info| info.state()) {
                Some(State::Running | State::TargetGone) => {
                    return Err(SandboxError::AlreadyUp(name.to_owned()));
                }
                Some(State::Dead) => held.remove()?,
                None if is_empty(&path)? => return Ok(held),
                None => held.remove()?,
            }
        }
        Err(SandboxError::Busy(name.to_owned()))
    }
}

/// Ends the first process and waits for it, which the kernel lets end last.
fn end(info: &SandboxInfo) -> Result<(), SandboxError> {
    let proc_path = format!("/proc/{}", info.init_pid);
    let pidfd = process::open(info.init_pid, info.init_started);
    let Some(pidfd) = pidfd.map_err(SandboxError::io("open the process", &proc_path))? else {
        return Ok(());
    };
    for (signal, limit) in [(Signal::TERM, END_POLITELY), (Signal::KILL, END_BY_FORCE)] {
        process::signal(&pidfd, signal).map_err(SandboxError::io("end the process", &proc_path))?;
        if process::wait_for_end(&pidfd, limit).map_err(SandboxError::io("wait for", &proc_path))? {
            return Ok(());
        }
    }
    Err(SandboxError::StillThere {
        name: info.name.clone(),
        pid: info.init_pid,
    })
}

fn read_info(path: &Path) -> Result<Option<SandboxInfo>, SandboxError> {
    let file = path.join(start::INFO_FILE);
    let bytes = match fs::read(&file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(SandboxError::io("read", file)(error)),
    };
    match serde_json::from_slice(&bytes) {
        Ok(info) => Ok(Some(info)),
        Err(error) => Err(SandboxError::io(
            "understand (remove it if it is damaged)",
            file,
        )(error.into())),
    }
}

fn is_empty(path: &Path) -> Result<bool, SandboxError> {
    let mut entries = fs::read_dir(path).map_err(SandboxError::io("list", path))?;
    Ok(entries.next().is_none())
}

/// The lock on a sandbox's folder.
struct Held {
    path: PathBuf,
    folder: File,
}

impl Held {
    /// The lock, or `None` if another command has it or the folder is gone.
    fn take(path: &Path, how: FlockOperation) -> Result<Option<Held>, SandboxError> {
        let folder = match File::open(path) {
            Ok(folder) => folder,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(SandboxError::io("open", path)(error)),
        };
        match rustix::fs::flock(&folder, how) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(SandboxError::io("lock", path)(error.into())),
        }
        // The one who had the lock may have removed the folder, and another made a new one.
        let ours = folder
            .metadata()
            .map_err(SandboxError::io("look at", path))?;
        let same = fs::metadata(path)
            .is_ok_and(|there| there.ino() == ours.ino() && there.dev() == ours.dev());
        Ok(same.then(|| Held {
            path: path.to_owned(),
            folder,
        }))
    }

    /// Removes the folder; the lock goes with it.
    fn remove(self) -> Result<(), SandboxError> {
        fs::remove_dir_all(&self.path).map_err(SandboxError::io("remove", &self.path))
    }
}
