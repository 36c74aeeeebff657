//! What rules are compiled from: the configuration's values, and the few facts of this machine
//! that the default lists depend on. `Default` is what an empty configuration means.

use crate::network::{IncomingMode, Side};

/// Everything that [`crate::compile()`] needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSource {
    /// `feature.fs`.
    pub fs: FsSource,
    /// `feature.network.outgoing`.
    pub outgoing: OutgoingSource,
    /// `feature.network.incoming`.
    pub incoming: IncomingSource,
    /// `feature.network.dns`.
    pub dns: DnsSource,
    /// Facts of this machine.
    pub machine: Machine,
}

/// `feature.fs.mode`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum FsMode {
    /// No path is remote, whatever the lists say.
    Local,
    /// Local, unless a list says otherwise.
    LocalWithOverrides,
    /// Reads are remote, writes local.
    #[default]
    Read,
    /// Reads and writes are remote.
    Write,
}

impl FsMode {
    /// The configuration's word.
    pub fn as_str(self) -> &'static str {
        match self {
            FsMode::Local => "local",
            FsMode::LocalWithOverrides => "localwithoverrides",
            FsMode::Read => "read",
            FsMode::Write => "write",
        }
    }
}

/// `feature.fs`. Patterns are regular expressions, found anywhere in the path, in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FsSource {
    /// What happens with a path that no list names.
    pub mode: FsMode,
    /// Remote, also for writing.
    pub read_write: Vec<String>,
    /// Remote for reading; opened locally for writing.
    pub read_only: Vec<String>,
    /// Local.
    pub local: Vec<String>,
    /// As if it did not exist.
    pub not_found: Vec<String>,
    /// Pattern and replacement (`$1`, `${name}`), done before anything else; the first that
    /// matches counts.
    pub mapping: Vec<(String, String)>,
}

/// `feature.network.outgoing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingSource {
    /// TCP goes out from the pod.
    pub tcp: bool,
    /// UDP goes out from the pod.
    pub udp: bool,
    /// Loopback destinations are this machine's.
    pub ignore_localhost: bool,
    /// `[protocol://][name|address|subnet/bits][:port]`, and where a match goes; everything else
    /// goes to the other side.
    pub filter: Option<(Side, Vec<String>)>,
    /// Regular expressions of Unix socket paths that are the pod's.
    pub unix_streams: Vec<String>,
}

impl Default for OutgoingSource {
    fn default() -> Self {
        OutgoingSource {
            tcp: true,
            udp: true,
            ignore_localhost: false,
            filter: None,
            unix_streams: Vec::new(),
        }
    }
}

/// `feature.network.incoming`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncomingSource {
    /// What happens with a port that the program listens on.
    pub mode: IncomingMode,
    /// Only these ports (of the pod) are taken.
    pub ports: Option<Vec<u16>>,
    /// These ports (of the program) stay local.
    pub ignore_ports: Vec<u16>,
    /// Listeners on loopback stay local.
    pub ignore_localhost: bool,
    /// Program's port to pod's port.
    pub port_mapping: Vec<(u16, u16)>,
    /// Program's port to the port that is really bound on this machine.
    pub listen_ports: Vec<(u16, u16)>,
    /// Ports for which the configuration asks for an HTTP filter. Until filters are served they
    /// are mirrored instead of stolen, so that no request is taken that should stay in the pod.
    pub http_filtered: HttpFiltered,
}

/// Which ports an HTTP filter covers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HttpFiltered {
    /// There is no filter.
    #[default]
    None,
    /// All ports.
    All,
    /// These ports of the pod; others are taken whole.
    Ports(Vec<u16>),
}

/// `feature.network.dns`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSource {
    /// Names are resolved as in the pod.
    pub enabled: bool,
    /// `[name|address|subnet/bits][:port]`, and where a match is resolved.
    pub filter: Option<(Side, Vec<String>)>,
}

impl Default for DnsSource {
    fn default() -> Self {
        DnsSource {
            enabled: true,
            filter: None,
        }
    }
}

/// Facts of this machine. Paths are bytes, for they need not be UTF-8 (path_resolution(7)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// `$HOME`.
    pub home: Option<Vec<u8>>,
    /// Working directory that the program is started in.
    pub working_directory: Option<Vec<u8>>,
    /// The program that is started.
    pub executable: Option<Vec<u8>>,
    /// Folders of tools of this machine that run with the program: its debugger's.
    pub tools: Vec<Vec<u8>>,
    /// `$TMPDIR`, or `/tmp`.
    pub temporary_directory: Option<Vec<u8>>,
}
