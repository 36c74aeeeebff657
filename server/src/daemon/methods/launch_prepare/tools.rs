//! Where the debugger is installed. It reads its own files inside the debuggee, and these are this
//! machine's wherever they lie.

use std::path::{Path, PathBuf};

use mirrord_editor_protocol::launch::Launch;

/// Fields of launch configurations that name a file of the debugger.
const FIELDS: &[&str] = &[
    "debugAdapterPath",
    "debugLauncherPath",
    "debugAdapterExecutable",
    "dlvToolPath",
    "miDebuggerPath",
    "gdbpath",
    "lldbServerPath",
];

/// Folders of the debugger, as the launch and the running adapter tell.
pub fn of(launch: &Launch) -> Vec<PathBuf> {
    let field = |name: &&str| launch.raw.as_ref()?.get(*name)?.as_str().map(PathBuf::from);
    let mut files: Vec<PathBuf> = FIELDS.iter().filter_map(field).collect();
    if let Some(pid) = launch.debugger.as_ref().and_then(|debugger| debugger.pid) {
        files.extend(of_process(pid));
    }
    let mut folders: Vec<PathBuf> = files.iter().filter_map(|file| installed_in(file)).collect();
    let told = launch
        .debugger
        .iter()
        .flat_map(|debugger| &debugger.folders);
    folders.extend(told.map(PathBuf::from).filter(|folder| is_deep(folder)));
    folders.sort();
    folders.dedup();
    folders
}

/// The adapter's executable, and the script that an interpreter runs.
fn of_process(pid: i32) -> Vec<PathBuf> {
    let executable = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    let script = words.split('\0').nth(1).map(PathBuf::from);
    executable.into_iter().chain(script).collect()
}

/// The folder that a tool is installed in: beside its `bin`, or where it lies. Not one that holds
/// everything.
fn installed_in(file: &Path) -> Option<PathBuf> {
    let folder = file.is_absolute().then(|| file.parent())??;
    let above = folder.parent().filter(|_| folder.ends_with("bin"));
    above
        .filter(|folder| is_deep(folder))
        .or(Some(folder).filter(|folder| is_deep(folder)))
        .map(Path::to_owned)
}

fn is_deep(folder: &Path) -> bool {
    folder.is_absolute() && folder.components().count() > 2
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_debuggers_folder_is_the_one_beside_its_bin() {
        let raw = |name: &str, file: &str| Launch {
            raw: Some(Value::Object(
                [(name.to_owned(), file.into())].into_iter().collect(),
            )),
            ..Launch::default()
        };
        for (name, file, folder) in [
            ("miDebuggerPath", "/srv/gdb/bin/gdb", Some("/srv/gdb")),
            (
                "debugAdapterPath",
                "/data/ext/debugpy/adapter",
                Some("/data/ext/debugpy"),
            ),
            ("dlvToolPath", "/srv/bin/dlv", Some("/srv/bin")),
            ("dlvToolPath", "/bin/dlv", None),
            ("dlvToolPath", "dlv", None),
            ("program", "/srv/app/main", None),
        ] {
            let folders: Vec<PathBuf> = folder.map(PathBuf::from).into_iter().collect();
            assert_eq!(of(&raw(name, file)), folders, "{file}");
        }
    }

    #[test]
    fn a_running_adapter_tells_its_own() {
        let debugger = mirrord_editor_protocol::launch::Debugger {
            pid: Some(std::process::id() as i32),
            port: None,
            folders: ["/srv/editor/lib", "/", "/data", "relative/a/b"]
                .map(str::to_owned)
                .to_vec(),
        };
        let launch = Launch {
            debugger: Some(debugger),
            ..Launch::default()
        };
        let us = std::env::current_exe().expect("we are somewhere");
        let mut expected = vec![PathBuf::from("/srv/editor/lib")];
        let script = std::env::args_os().nth(1).map(PathBuf::from);
        expected.extend(
            [Some(us), script]
                .into_iter()
                .flatten()
                .filter_map(|file| installed_in(&file)),
        );
        expected.sort();
        expected.dedup();
        assert_eq!(of(&launch), expected);
    }
}
