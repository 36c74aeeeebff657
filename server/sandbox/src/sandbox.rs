//! A running sandbox, to run programs in and to call from its client.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::str::FromStr;

use crate::error::SandboxError;
use crate::http::{HttpAnswer, HttpCall};
use crate::info::SandboxInfo;
use crate::roles::Role;

/// A running sandbox. Dropping this leaves it running; see [`DownOnDrop`].
#[derive(Clone, Debug)]
pub struct Sandbox {
    info: SandboxInfo,
    folder: PathBuf,
    program: PathBuf,
}

/// Where to run something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Inside the pod, in the target's place: all its namespaces, root folder, environment,
    /// working directory and ids. Ends with the sandbox.
    Pod,
    /// The outside client's network; files, processes and ids as they are here.
    Client,
    /// The network of the service that only the pod reaches; files as they are here.
    Service,
    /// The pod's network only; files as they are here.
    PodNetwork,
    /// Here, with the rights over the sandbox's namespaces that an agent needs.
    Agent,
}

impl Sandbox {
    pub(crate) fn new(info: SandboxInfo, folder: PathBuf, program: PathBuf) -> Self {
        Sandbox {
            info,
            folder,
            program,
        }
    }

    /// What it is.
    pub fn info(&self) -> &SandboxInfo {
        &self.info
    }

    /// Pid of the process to run programs in the place of.
    pub fn target_pid(&self) -> u32 {
        self.info.target_pid
    }

    /// Its own folder on this machine (not the pod's root).
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A command that runs `program` at a place; give it arguments, standard streams and so on as
    /// any other. It keeps the exit status or signal of the program, passes signals on, and ends
    /// it when it is ended itself. Environment and working directory given here count everywhere
    /// but in [`Place::Pod`], which has the target's.
    pub fn command(&self, place: Place, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.entry(Role::Enter, place);
        command.arg("--").arg(program);
        command
    }

    /// Runs a program inside the pod, in the target's place, with our standard streams.
    pub fn exec<S: AsRef<OsStr>>(
        &self,
        argv: impl IntoIterator<Item = S>,
    ) -> Result<ExitStatus, SandboxError> {
        self.exec_at(Place::Pod, argv)
    }

    /// Runs a program as the pod's outside client, with our standard streams.
    pub fn client_exec<S: AsRef<OsStr>>(
        &self,
        argv: impl IntoIterator<Item = S>,
    ) -> Result<ExitStatus, SandboxError> {
        self.exec_at(Place::Client, argv)
    }

    /// Runs a program at a place, with our standard streams.
    pub fn exec_at<S: AsRef<OsStr>>(
        &self,
        place: Place,
        argv: impl IntoIterator<Item = S>,
    ) -> Result<ExitStatus, SandboxError> {
        let mut command = self.entry(Role::Enter, place);
        command.arg("--").args(argv);
        let program = command
            .get_args()
            .nth(4)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        command.status().map_err(|source| SandboxError::Exec {
            name: self.info.name.clone(),
            program,
            source,
        })
    }

    /// Makes an HTTP call as the pod's outside client.
    pub fn client_http(&self, call: &HttpCall) -> Result<HttpAnswer, SandboxError> {
        self.http_at(Place::Client, call)
    }

    /// Makes an HTTP call from the network of a place; [`Place::Pod`] is the pod's loopback's side.
    pub fn http_at(&self, place: Place, call: &HttpCall) -> Result<HttpAnswer, SandboxError> {
        let failed = |message: String| SandboxError::Http {
            name: self.info.name.clone(),
            message,
        };
        let question = serde_json::to_vec(call).map_err(|error| failed(error.to_string()))?;
        let mut child = self
            .entry(Role::HttpCall, place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| {
                failed(format!(
                    "{} could not be run: {error}",
                    self.program.display()
                ))
            })?;
        if let Some(mut stdin) = child.stdin.take()
            // When it ended before it read the question, its own words say why.
            && let Err(error) = stdin.write_all(&question)
        {
            tracing::debug!("the HTTP caller did not read its question: {error}");
        }
        let output = child
            .wait_with_output()
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            ));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))
    }

    fn entry(&self, role: Role, place: Place) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg(role.argument())
            .arg(&self.folder)
            .arg(place.to_string());
        command
    }
}

const PLACES: [(Place, &str); 5] = [
    (Place::Pod, "pod"),
    (Place::Client, "client"),
    (Place::Service, "service"),
    (Place::PodNetwork, "pod-network"),
    (Place::Agent, "agent"),
];

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = PLACES
            .iter()
            .find(|(place, _)| place == self)
            .map_or("pod", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = PLACES
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(place, _)| *place);
        found.ok_or_else(|| {
            format!("{text:?} is no place of a sandbox: pod, client, service, pod-network or agent")
        })
    }
}

/// Ends a sandbox when dropped: for tests and the demo.
#[derive(Debug)]
pub struct DownOnDrop {
    sandboxes: crate::Sandboxes,
    sandbox: Sandbox,
}

impl DownOnDrop {
    /// Starts a sandbox that ends with this value.
    pub fn up(
        sandboxes: &crate::Sandboxes,
        spec: &crate::SandboxSpec,
    ) -> Result<Self, SandboxError> {
        Ok(DownOnDrop {
            sandbox: sandboxes.up(spec)?,
            sandboxes: sandboxes.clone(),
        })
    }
}

impl std::ops::Deref for DownOnDrop {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Drop for DownOnDrop {
    fn drop(&mut self) {
        match self.sandboxes.down(&self.sandbox.info.name) {
            // A test may have ended it by itself.
            Ok(()) | Err(SandboxError::NotFound(_)) => {}
            Err(error) => tracing::warn!("{error}"),
        }
    }
}
