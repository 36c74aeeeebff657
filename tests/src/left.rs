//! What of the product runs for a pod, and that nothing of it is left.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::pod::Pod;

/// Waits until something holds, and fails when it does not in time.
pub fn wait_until(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < within, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processes of the product that belong to this pod's sessions, by a word in their command line
/// and the runtime folder in their environment or arguments.
pub fn processes(pod: &Pod, word: &str) -> Vec<i32> {
    processes_in(pod.runtime(), word)
}

/// The same for a runtime folder; the oldest first.
pub fn processes_in(runtime: &Path, word: &str) -> Vec<i32> {
    // Without a last `/.`, as paths in it have it.
    let runtime: PathBuf = runtime.components().collect();
    let runtime = runtime.to_str().expect("UTF-8").to_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let command = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        let environment = String::from_utf8_lossy(&read("environ")).into_owned();
        if command.contains(word)
            && !command.contains("sandbox-")
            && (command.contains(&runtime) || environment.contains(&runtime))
        {
            found.push(pid);
        }
    }
    found.sort_unstable();
    found
}

/// Waits until none of the product's processes is left.
pub fn nothing_left(pod: &Pod) {
    wait_until(
        "all of our processes are gone",
        Duration::from_secs(5),
        || {
            ["mirrord-server", "mirrord-agent"]
                .iter()
                .all(|word| processes(pod, word).is_empty())
        },
    );
}
