//! What the daemon found out about files, since this crate opens none.

use std::collections::BTreeMap;

/// Facts about this launch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// About the file that [`crate::subject`] names; `None` when it could not be read.
    pub executable: Option<ExecutableFacts>,
    /// The variables of `envFile`.
    pub env_file: BTreeMap<String, String>,
    /// `LD_PRELOAD` of the environment that the launch inherits.
    pub inherited_preload: Option<String>,
}

/// An executable file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutableFacts {
    /// Where it is.
    pub path: String,
    /// What it is. For a script, what its interpreter is.
    pub file: FileType,
    /// A Go program: it reads its environment from its stack.
    pub go: bool,
    /// It changes its user, its group, or its capabilities when it is executed.
    pub setuid: bool,
}

/// How an executable is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileType {
    /// By a dynamic loader, which preloads libraries.
    Dynamic(CLibrary),
    /// By the kernel alone.
    Static,
    /// For another processor; its name.
    OtherMachine(String),
    /// A text that a shell would read, or anything else that is no program.
    Other,
}

/// Whose dynamic loader it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CLibrary {
    /// glibc, which our library is built for.
    Glibc,
    /// musl, which does not load it.
    Musl,
}

impl ExecutableFacts {
    /// Whether a preload in its environment does not reach it.
    pub(crate) fn needs_launcher(&self) -> bool {
        matches!(
            self.file,
            FileType::Static | FileType::Dynamic(CLibrary::Musl)
        )
    }
}
