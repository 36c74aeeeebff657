//! Launches whose program would not run under this user on this machine: refused in words, for
//! they would run plain without anybody noticing.

use mirrord_editor_protocol::launch::Launch;

use crate::{launch::field, plan::Refusal};

/// Programs that start another one where nothing of ours reaches it, and what to do.
const STARTERS: &[(&[&str], &str, &str)] = &[
    (
        &["sudo", "doas", "pkexec", "su", "runuser", "setpriv"],
        "changes the user, and the kernel gives such programs no preload",
        "run the editor's daemon as that user, or take it out of the launch",
    ),
    (
        &[
            "ssh",
            "mosh",
            "kubectl",
            "oc",
            "wsl.exe",
            "vagrant",
            "limactl",
            "multipass",
        ],
        "runs the program on another machine",
        "open the project there and run it there",
    ),
    (
        &[
            "flatpak",
            "snap",
            "bwrap",
            "firejail",
            "systemd-run",
            "machinectl",
            "devcontainer",
        ],
        "starts the program in surroundings of its own, where the session's socket is not",
        "run the program itself",
    ),
];

/// Interpreters that an IDE keeps elsewhere, by the start of their name.
const ELSEWHERE: &[&str] = &[
    "docker://",
    "docker-compose://",
    "ssh://",
    "sftp://",
    "wsl://",
    "vagrant://",
    "\\\\wsl",
];

/// The file name of a path or a word.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Refuses what would run elsewhere. `executable` is what would be started.
pub(crate) fn check(launch: &Launch, executable: Option<&str>) -> Result<(), Refusal> {
    let named = [
        executable,
        launch.runtime.as_deref(),
        launch.program.as_deref(),
    ];
    for name in named.into_iter().flatten() {
        if ELSEWHERE.iter().any(|start| name.starts_with(start)) {
            return Err(Refusal::new(
                format!(
                    "the interpreter {name} is not on this machine, so its program cannot join"
                ),
                "choose a local interpreter, or open the project inside that container or machine",
            ));
        }
    }
    let first = executable.and_then(|line| line.split(' ').next());
    if let Some(name) = first.map(file_name)
        && let Some((_, why, help)) = STARTERS.iter().find(|(names, ..)| names.contains(&name))
    {
        return Err(Refusal::new(format!("`{name}` {why}"), *help));
    }
    if field(launch, "asRoot").and_then(|value| value.as_bool()) == Some(true) {
        return Err(Refusal::new(
            "`asRoot` starts the debugger with sudo, which takes the session's variables away",
            "take `asRoot` out of the launch configuration",
        ));
    }
    Ok(())
}
