//! A sandbox pod for tests, taken down at the end whatever happens.

use std::path::{Path, PathBuf};

use mirrord_sandbox::{Bind, Sandbox, SandboxSpec, Sandboxes};

use crate::{product, programs};

/// A running pod.
pub struct Pod {
    /// The sandbox.
    pub sandbox: Sandbox,
    sandboxes: Sandboxes,
    runtime: tempfile::TempDir,
}

impl Pod {
    /// A pod that has the probe programs and their languages.
    pub fn up(name: &str) -> Pod {
        Pod::with(SandboxSpec::new(name))
    }

    /// A pod made from `spec`, with the probe programs.
    pub fn with(mut spec: SandboxSpec) -> Pod {
        // A runtime folder of its own for each pod: what is left in it at the end is a fault.
        let runtime = tempfile::Builder::new()
            .prefix("run-")
            .tempdir()
            .expect("a runtime folder");
        spec = spec.bind(programs::folder());
        for path in programs::java_settings() {
            spec.binds.push(Bind {
                host: path.clone(),
                pod: path,
                writable: false,
            });
        }
        let folder = runtime.path().join("mirrord/sandboxes");
        let sandboxes = Sandboxes::new(folder, product::server());
        std::fs::create_dir(runtime.path().join("mirrord")).expect("a folder");
        make_private(&runtime.path().join("mirrord"));
        let sandbox = sandboxes
            .up(&spec)
            .unwrap_or_else(|error| panic!("no sandbox: {error}"));
        Pod {
            sandbox,
            sandboxes,
            runtime,
        }
    }

    /// As `--target` takes it.
    pub fn target(&self) -> String {
        format!("sandbox/{}", self.sandbox.info().name)
    }

    /// `XDG_RUNTIME_DIR` for commands that are to find this pod.
    pub fn runtime(&self) -> &Path {
        self.runtime.path()
    }

    /// A path in the pod, as this machine can open it.
    pub fn path(&self, path: &str) -> PathBuf {
        let root = format!("/proc/{}/root", self.sandbox.target_pid());
        Path::new(&root).join(path.trim_start_matches('/'))
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let down = self.sandboxes.down(&self.sandbox.info().name);
        if !std::thread::panicking() {
            down.expect("the sandbox goes down");
            let mut left = self.left();
            // A session that was killed is cleaned up by its supervisor, which first gives the
            // program time to end.
            for _ in 0..250 {
                if left.is_empty() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
                left = self.left();
            }
            assert!(left.is_empty(), "left in the runtime folder: {left:?}");
        }
    }
}

impl Pod {
    /// What is in the runtime folder beside the sandbox.
    fn left(&self) -> Vec<std::ffi::OsString> {
        std::fs::read_dir(self.runtime.path().join("mirrord"))
            .expect("readable")
            .flatten()
            .map(|entry| entry.file_name())
            .filter(|name| name != "sandboxes")
            .collect()
    }
}

fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).expect("chmod");
}
