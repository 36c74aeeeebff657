//! Programs that are never supervised although they inherited the filter: they are answered
//! "continue" and see this machine.
//!
//! Debuggers and debug adapters must read this machine's binaries and reach their editor; build
//! tools make thousands of calls and want nothing of the pod. What they start is looked at again
//! after its `execve(2)`.

use std::sync::OnceLock;

/// By the executable's file name.
const NAMES: &[&[u8]] = &[
    // Debuggers and debug adapters.
    b"dlv",
    b"gdb",
    b"gdbserver",
    b"lldb",
    b"lldb-server",
    b"lldb-dap",
    b"lldb-vscode",
    b"codelldb",
    b"debugserver",
    b"OpenDebugAD7",
    b"vsdbg",
    b"rr",
    b"strace",
    b"ltrace",
    b"perf",
    // Build tools.
    b"go",
    b"gofmt",
    b"cargo",
    b"rustc",
    b"rustup",
    b"cc",
    b"c++",
    b"gcc",
    b"g++",
    b"clang",
    b"clang++",
    b"cc1",
    b"cc1plus",
    b"collect2",
    b"as",
    b"ld",
    b"ld.bfd",
    b"ld.gold",
    b"ld.lld",
    b"lld",
    b"mold",
    b"make",
    b"gmake",
    b"cmake",
    b"ninja",
    b"javac",
    b"bazel",
    b"sccache",
    b"ccache",
];

/// Prefixes, for names that carry a version or a target: `lldb-19`, `x86_64-linux-gnu-gcc-12`.
const PREFIXES: &[&[u8]] = &[
    b"lldb-",
    b"clang-",
    b"gcc-",
    b"g++-",
    b"x86_64-linux-gnu-",
    b"aarch64-linux-gnu-",
];

/// Go's compiler and linker have everyday names in a folder of their own.
const FOLDERS: &[&[u8]] = &[b"/pkg/tool/linux_"];

/// Further names, from the configuration (`skip_processes`).
static SKIPPED: OnceLock<Vec<String>> = OnceLock::new();

/// Adds names of programs that the user wants left alone; called once, before any is looked at.
pub(crate) fn skip(names: Vec<String>) {
    let _ = SKIPPED.set(names);
}

/// Decides by the target of `/proc/PID/exe`.
pub(crate) fn is_exempt(exe: &[u8]) -> bool {
    let exe = exe.strip_suffix(b" (deleted)").unwrap_or(exe);
    let name = exe.rsplit(|b| *b == b'/').next().unwrap_or(exe);
    exe == own_executable()
        || NAMES.contains(&name)
        || SKIPPED
            .get()
            .is_some_and(|skipped| skipped.iter().any(|skipped| skipped.as_bytes() == name))
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || FOLDERS
            .iter()
            .any(|folder| exe.windows(folder.len()).any(|part| part == *folder))
}

/// The launcher runs our own binary under the filter for a moment.
fn own_executable() -> &'static [u8] {
    static OWN: OnceLock<Vec<u8>> = OnceLock::new();
    OWN.get_or_init(|| {
        let link = rustix::fs::readlink("/proc/self/exe", Vec::new());
        link.map(std::ffi::CString::into_bytes).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debuggers_and_build_tools_are_exempt() {
        for exe in [
            &b"/usr/bin/gdb"[..],
            b"/root/go/bin/dlv",
            b"/usr/bin/x86_64-linux-gnu-gcc-12",
            b"/usr/lib/go/pkg/tool/linux_amd64/link",
            b"/usr/bin/gdb (deleted)",
        ] {
            assert!(is_exempt(exe), "{}", exe.escape_ascii());
        }
    }

    #[test]
    fn ordinary_programs_are_supervised() {
        for exe in [
            &b"/usr/bin/python3.11"[..],
            b"/bin/bash",
            b"/home/me/go/app",
            b"/app/link",
        ] {
            assert!(!is_exempt(exe), "{}", exe.escape_ascii());
        }
    }
}
