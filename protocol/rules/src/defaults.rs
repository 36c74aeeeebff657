//! The paths that keep their place in every mode but `local`, unless a list of the user names
//! them: mirrord's default lists, as data with their reasons, and what we add because our
//! interception also sees what the peer's never does.

use crate::source::{FsMode, RuleSource};

/// What a default rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Default {
    /// As if it did not exist.
    NotFound,
    /// Remote for reading, local for writing.
    ReadOnly,
    /// Local.
    Local,
    /// Local, and so is everything that can be reached from there.
    LocalTrusted,
}

/// Below `$HOME`: the user's own cloud credentials. A program that finds them talks to the cloud
/// as the developer instead of as the pod.
const NOT_FOUND_IN_HOME: &[&str] = &[r"\.config/gcloud", r"\.kube", r"\.azure"];

/// Read from the pod even though `/etc` is local: name resolution, and the authorities that the
/// pod trusts.
///
/// Ours beyond mirrord's: libc's own settings of how names are resolved (host.conf(5),
/// nsswitch.conf(5), gai.conf(5)), without which `localhost` alone resolves otherwise than there.
const RESOLVER_FILES: &[&str] = &[
    r"^/etc/resolv.conf$",
    r"^/etc/hosts$",
    r"^/etc/host.conf$",
    r"^/etc/nsswitch.conf$",
    r"^/etc/gai.conf$",
];
const OTHER_REMOTE_FILES: &[&str] = &[r"^/etc/hostname$", r"^/etc/ssl/certs(/|$)"];

/// Where administrators put links to elsewhere; must come before `/usr`.
const LINKED_DIRECTORIES: &[&str] = &["/usr/local"];

/// The machine's own programs and libraries: the local program was built against these. Links in
/// them lead to one another only (usr-merge, alternatives, `lib64`).
///
/// `/lib64` and its like are ours: the peer never sees the dynamic loader's own opens (they are
/// calls inside libc, which it does not hook); the kernel shows them to us.
const SYSTEM_DIRECTORIES: &[&str] = &[
    "/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/nix",
];

/// The machine's kernel, its configuration, and what belongs to the developer's session. Links
/// here lead anywhere (`/proc/self/cwd`, `/dev/fd`).
const MACHINE_DIRECTORIES: &[&str] = &[
    "/proc",
    "/sys",
    "/dev",
    "/etc",
    "/run",
    "/selinux",
    "/snap",
    "/opt",
    "/home",
    "/tmp",
    "/var/tmp",
    "/var/db/timezone/zoneinfo",
];

/// The listing of the root, and paths of Windows programs under WSL.
const OTHER_PLACES: &[&str] = &["^/$", "^/Program Files"];

/// The default rules that begin at a known place, best first, for the automaton; those that must
/// look at the whole path are in [`crate::program`]. Which of two local rules matches first changes
/// nothing but the text that is shown.
pub(crate) fn rules(source: &RuleSource) -> Vec<(Default, String)> {
    let machine = &source.machine;
    let mut rules = Vec::new();
    if source.fs.mode == FsMode::Local {
        return rules;
    }
    let home = machine
        .home
        .as_deref()
        .map(without_slash)
        .filter(|home| !home.is_empty());
    if let Some(home) = home {
        for directory in NOT_FOUND_IN_HOME {
            rules.push((Default::NotFound, format!("^{}/{directory}", escape(home))));
        }
    }
    // With names resolved on this machine, its own resolver's configuration is needed.
    if source.dns.enabled {
        rules.extend(
            RESOLVER_FILES
                .iter()
                .map(|path| (Default::ReadOnly, (*path).to_owned())),
        );
    }
    rules.extend(
        OTHER_REMOTE_FILES
            .iter()
            .map(|path| (Default::ReadOnly, (*path).to_owned())),
    );

    let below = |path: &str| format!("^{path}(/|$)");
    rules.extend(
        LINKED_DIRECTORIES
            .iter()
            .map(|path| (Default::Local, below(path))),
    );
    rules.extend(
        SYSTEM_DIRECTORIES
            .iter()
            .map(|path| (Default::LocalTrusted, below(path))),
    );
    rules.extend(
        MACHINE_DIRECTORIES
            .iter()
            .map(|path| (Default::Local, below(path))),
    );
    rules.extend(
        OTHER_PLACES
            .iter()
            .map(|path| (Default::Local, (*path).to_owned())),
    );
    if let Some(temporary) = &machine.temporary_directory {
        rules.push((Default::Local, format!("^{}", escape(temporary))));
    }
    // The project. The root as working directory would make everything local.
    if let Some(directory) = machine.working_directory.as_deref().map(without_slash)
        && !directory.is_empty()
    {
        rules.push((Default::Local, below(&escape(directory))));
    }
    // The debugger reads its own files inside the debuggee.
    for tool in machine.tools.iter().map(|tool| without_slash(tool)) {
        if !tool.is_empty() {
            rules.push((Default::Local, below(&escape(tool))));
        }
    }
    // The way to them: who resolves its own path looks at each folder above it, and the pod need
    // have none of them. Only these very folders; what else is in them stays the pod's.
    let ways = machine.tools.iter().chain(&machine.working_directory);
    for folder in ways.flat_map(|path| above(without_slash(path))) {
        rules.push((Default::Local, format!("^{}$", escape(folder))));
    }
    // Hidden files of the user: settings of this machine's tools.
    if let Some(home) = home {
        rules.push((Default::Local, format!(r"^{}/\.", escape(home))));
    }
    rules
}

/// The folders above a path, without the root.
fn above(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes
        .map(|(at, _)| &path[..at])
        .filter(|folder| !folder.is_empty())
}

fn without_slash(mut path: &[u8]) -> &[u8] {
    while let Some(shorter) = path.strip_suffix(b"/") {
        path = shorter;
    }
    path
}

/// Escapes bytes for a pattern; what is not UTF-8 becomes `(?-u:\xNN)`.
fn escape(path: &[u8]) -> String {
    let mut pattern = String::new();
    for chunk in path.utf8_chunks() {
        pattern.push_str(&regex_syntax::escape(chunk.valid()));
        for byte in chunk.invalid() {
            pattern.push_str(&format!(r"(?-u:\x{byte:02X})"));
        }
    }
    pattern
}
