//! Runs a test's body in a child process inside namespaces made for it, and others beside it.

use std::fs::File;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Whose namespaces.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Made by the machine's root: BPF is allowed.
    Root,
    /// In a user namespace: BPF is refused, everything else is there.
    Rootless,
}

const INSIDE: &str = "MIRRORD_TEST_INSIDE";

/// Runs `body` inside; the whole test passes when the child does.
pub(super) fn run(kind: Kind, name: &str, body: impl AsyncFnOnce(Outside)) {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let outside = Outside::attach();
        let limit = Duration::from_secs(100);
        let done = runtime.block_on(async { tokio::time::timeout(limit, body(outside)).await });
        done.expect("the test hangs");
        return;
    }
    if kind == Kind::Root && !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED {name}: needs root; what it proves is also tested without, by nftables");
        return;
    }
    let flags: &[&str] = match kind {
        Kind::Root => &["-n"],
        Kind::Rootless => &["-Urn"],
    };
    let name = name.split_once("::").expect("crate::path").1;
    let output = Command::new("unshare")
        .args(flags)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare(1) from util-linux");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "inside {flags:?}:\n{text}\n{errors}"
    );
}

/// A second network namespace, joined to the pod's by a cable.
pub(super) struct Outside {
    holder: Child,
}

/// The pod's addresses as the outside calls them, and the outside's own.
pub(super) const POD_V4: &str = "10.9.0.2";
pub(super) const POD_V6: &str = "fd09::2";
pub(super) const OUTSIDE_V4: &str = "10.9.0.1";

impl Outside {
    fn attach() -> Outside {
        let holder = Command::new("unshare")
            .args(["-n", "sleep", "120"])
            .spawn()
            .unwrap();
        let outside = Outside { holder };
        let pid = outside.pid();
        let comm = format!("/proc/{pid}/comm");
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::fs::read_to_string(&comm).is_ok_and(|comm| comm.trim() != "sleep") {
            assert!(Instant::now() < deadline, "unshare does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        ip(&["link", "set", "lo", "up"]);
        ip(&[
            "link", "add", "pod0", "type", "veth", "peer", "name", "out0", "netns", &pid,
        ]);
        ip(&["addr", "add", "10.9.0.2/24", "dev", "pod0"]);
        ip(&["addr", "add", "fd09::2/64", "dev", "pod0", "nodad"]);
        ip(&["link", "set", "pod0", "up"]);
        for arguments in [
            &["link", "set", "lo", "up"][..],
            &["addr", "add", "10.9.0.1/24", "dev", "out0"],
            &["addr", "add", "fd09::1/64", "dev", "out0", "nodad"],
            &["link", "set", "out0", "up"],
        ] {
            command("nsenter", &[&["-t", &pid, "-n", "ip"], arguments].concat());
        }
        outside
    }

    fn pid(&self) -> String {
        self.holder.id().to_string()
    }

    /// Runs blocking code on a thread of the outside; the pod's own threads go on meanwhile.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let namespace = File::open(format!("/proc/{}/ns/net", self.pid())).unwrap();
        elsewhere(move || {
            use std::os::fd::AsFd;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        })
        .await
    }
}

/// Runs blocking code on a thread of its own in the pod's namespace.
pub(super) async fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done_tx, done_rx) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || done_tx.send(work()));
    done_rx.await.expect("the client failed, see above")
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.holder.kill().unwrap();
        self.holder.wait().unwrap();
    }
}

fn ip(arguments: &[&str]) {
    command("ip", arguments);
}

fn command(name: &str, arguments: &[&str]) {
    let status = Command::new(name).args(arguments).status().unwrap();
    assert!(status.success(), "{name} {arguments:?}");
}
