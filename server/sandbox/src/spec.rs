//! What a sandbox is made of, as the caller wishes it. It is written into the sandbox's folder,
//! where its first process reads it.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::SandboxError;

/// The wishes for one sandbox; [`SandboxSpec::new`] gives a complete one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// Name among the user's sandboxes: lower-case letters, digits and `-`, at most 40.
    pub name: String,
    /// The pod's host name and `POD_NAME`.
    pub pod_name: String,
    /// With or without a user namespace.
    pub isolation: Isolation,
    /// Ids of the target process; `None` is root. Without root, only root is there to be had.
    pub run_as: Option<RunAs>,
    /// Working directory of the target process.
    pub working_directory: PathBuf,
    /// Environment of the target besides what every sandbox has; the same name replaces it.
    pub env: Vec<(OsString, OsString)>,
    /// Folders and files of this machine to show in the pod.
    pub binds: Vec<Bind>,
    /// Files to write in the pod.
    pub files: Vec<ExtraFile>,
    /// Names that the pod's name server knows besides its own.
    pub dns: Vec<(String, Vec<IpAddr>)>,
    /// Entries of `/data/huge`, which is there when this is not 0.
    pub huge_directory: usize,
}

/// Which namespaces keep the pod apart from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolation {
    /// [`Isolation::Plain`] for root, [`Isolation::UserNamespace`] for everybody else.
    Auto,
    /// No user namespace: the pod's root is this machine's root. Needs `CAP_SYS_ADMIN`.
    Plain,
    /// A user namespace of its own: the pod's root is the caller.
    UserNamespace,
}

/// Ids of a process in the pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAs {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Other groups.
    pub groups: Vec<u32>,
}

/// A folder or file of this machine shown in the pod, with everything mounted below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bind {
    /// Where it is on this machine.
    pub host: PathBuf,
    /// Where it shall be in the pod (absolute; made if missing).
    pub pod: PathBuf,
    /// Whether the pod may write to it.
    pub writable: bool,
}

/// A file to write in the pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraFile {
    /// Where (absolute; folders are made).
    pub path: PathBuf,
    /// Its bytes.
    pub content: Vec<u8>,
    /// Its permissions.
    pub mode: u32,
    /// Its owner and group, `None` for the pod's root.
    pub owner: Option<(u32, u32)>,
}

impl SandboxSpec {
    /// A sandbox of this name with everything that sandboxes have and nothing more.
    pub fn new(name: impl Into<String>) -> Self {
        let name = name.into();
        SandboxSpec {
            pod_name: format!("shop-{name}"),
            name,
            isolation: Isolation::Auto,
            run_as: None,
            working_directory: PathBuf::from("/app"),
            env: Vec::new(),
            binds: Vec::new(),
            files: Vec::new(),
            dns: Vec::new(),
            huge_directory: 0,
        }
    }

    /// Adds or replaces a variable.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Shows a folder or file of this machine at the same place, read-only.
    pub fn bind(mut self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.binds.push(Bind {
            pod: path.clone(),
            host: path,
            writable: false,
        });
        self
    }

    /// Writes a file of the pod's root with mode 0644.
    pub fn file(mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        let (path, content) = (path.into(), content.into());
        self.files.push(ExtraFile {
            path,
            content,
            mode: 0o644,
            owner: None,
        });
        self
    }

    /// Checks everything that can be wrong before anything is started.
    pub(crate) fn check(&self) -> Result<(), SandboxError> {
        check_name(&self.name)?;
        let wrong = |message: String| {
            Err(SandboxError::Spec {
                name: self.name.clone(),
                message,
            })
        };
        let host_name_fits = !self.pod_name.is_empty()
            && self.pod_name.len() <= 63
            && self
                .pod_name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !host_name_fits {
            return wrong(format!(
                "{:?} is no host name (letters, digits, '-', at most 63)",
                self.pod_name
            ));
        }
        for bind in &self.binds {
            if let Err(error) = std::fs::metadata(&bind.host) {
                return wrong(format!(
                    "{} cannot be shown in the pod: {error}",
                    bind.host.display()
                ));
            }
        }
        let places = self.binds.iter().map(|bind| &bind.pod);
        let places = places.chain(self.files.iter().map(|file| &file.path));
        for place in places.chain([&self.working_directory]) {
            let climbs = place
                .components()
                .any(|part| part == std::path::Component::ParentDir);
            if !place.is_absolute() || climbs {
                return wrong(format!(
                    "{} must be an absolute path without `..`",
                    place.display()
                ));
            }
        }
        Ok(())
    }
}

/// Refuses names that would leave the sandboxes' folder or make a poor host name.
pub(crate) fn check_name(name: &str) -> Result<(), SandboxError> {
    let fits = !name.is_empty()
        && name.len() <= 40
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits {
        Ok(())
    } else {
        Err(SandboxError::Name(name.to_owned()))
    }
}
