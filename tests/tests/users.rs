//! Files are the pod's with the pod's own rights: what its user may not read is refused, what the
//! program makes belongs to that user, and a program that changes its uid is asked for as that.

use std::os::unix::fs::MetadataExt;

use mirrord_sandbox::{ExtraFile, RunAs, SandboxSpec};
use mirrord_tests::differences::assert_same;
use mirrord_tests::pod::Pod;
use mirrord_tests::{product, programs, run};

/// The pod's user.
const USER: u32 = 1000;

fn file(path: &str, mode: u32, owner: u32) -> ExtraFile {
    ExtraFile {
        path: path.into(),
        content: path.as_bytes().to_vec(),
        mode,
        owner: Some((owner, owner)),
    }
}

/// A pod whose program is an ordinary user; only root can make one (an ordinary user's sandbox has
/// one user only, who is its root), so the stage leaves these tests to root.
fn pod_of_a_user(name: &str) -> Pod {
    assert!(product::is_root(), "these tests need root");
    let mut spec = SandboxSpec::new(name);
    spec.run_as = Some(RunAs {
        uid: USER,
        gid: USER,
        groups: vec![2000],
    });
    spec.files = vec![
        file("/data/users/own", 0o600, USER),
        file("/data/users/roots", 0o600, 0),
        file("/data/users/readable", 0o644, 0),
        file("/data/users/of-group", 0o640, 2000),
        file("/data/users/executable-only", 0o711, 0),
        file("/data/users/closed/inside", 0o644, 0),
        file("/data/users/of-another", 0o600, 3000),
    ];
    let pod = Pod::with(spec);
    let closed = pod.path("/data/users/closed");
    std::os::unix::fs::chown(&closed, Some(0), Some(0)).unwrap();
    std::fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let folder = pod.path("/data/users");
    std::os::unix::fs::chown(&folder, Some(USER), Some(USER)).unwrap();
    pod
}

const FILES: &[&str] = &[
    "/data/users/own",
    "/data/users/roots",
    "/data/users/readable",
    "/data/users/of-group",
    "/data/users/executable-only",
    "/data/users/closed",
    "/data/users/closed/inside",
    "/data/users/of-another",
    "/data/users",
];

#[test]
fn what_the_pods_user_may_not_read_is_refused_in_every_language() {
    let pod = pod_of_a_user("users");
    let config = pod.runtime().join("config.json");
    std::fs::write(
        &config,
        r#"{"feature": {"fs": {"read_only": ["^/data(/|$)"]}}}"#,
    )
    .unwrap();
    let options = ["--config", config.to_str().unwrap()];
    for name in ["c", "c-static", "go-static", "python", "rust", "node"] {
        let program = programs::named(name);
        let arguments: Vec<&str> = std::iter::once("files")
            .chain(FILES.iter().copied())
            .collect();
        let inside = run::inside(&pod, program, &arguments);
        let through_us = run::through_us(&pod, &options, program, &arguments);
        assert_same(name, "files", &inside.stdout, &through_us.stdout);
    }
    let denied = run::through_us(
        &pod,
        &options,
        programs::named("c"),
        &["files", "/data/users/roots"],
    );
    assert!(
        denied.stdout.contains("open /data/users/roots: EACCES"),
        "{denied:?}"
    );
}

#[test]
fn what_the_program_makes_belongs_to_the_pods_user() {
    let pod = pod_of_a_user("owner");
    let config = pod.runtime().join("config.json");
    std::fs::write(&config, r#"{"feature": {"fs": {"mode": "write"}}}"#).unwrap();
    let options = ["--config", config.to_str().unwrap()];
    let script = "umask 027; echo text > /data/users/made && mkdir /data/users/folder && ln -s made /data/users/link; \
                  echo no > /data/users/roots; echo status $?";
    let ended = run::finish(&mut run::exec(&pod, &options, &["/bin/sh", "-c", script]));
    assert!(
        ended.stdout.contains("status 2") || ended.stdout.contains("status 1"),
        "{ended:?}"
    );
    for (name, mode) in [("made", 0o100640), ("folder", 0o40750), ("link", 0o120777)] {
        let found = std::fs::symlink_metadata(pod.path(&format!("/data/users/{name}"))).unwrap();
        assert_eq!((found.uid(), found.gid()), (USER, USER), "{name}");
        assert_eq!(found.mode(), mode, "{name}");
    }
    assert_eq!(
        std::fs::read(pod.path("/data/users/roots")).unwrap(),
        b"/data/users/roots"
    );
}

#[test]
fn a_program_that_changes_its_uid_is_asked_for_as_that_user() {
    let pod = pod_of_a_user("setuid");
    let config = pod.runtime().join("config.json");
    std::fs::write(
        &config,
        r#"{"feature": {"fs": {"read_only": ["^/data(/|$)"]}}}"#,
    )
    .unwrap();
    let options = ["--config", config.to_str().unwrap()];
    let script = "import os\n\
        def look(path):\n\
        \x20   try: return open(path).read()\n\
        \x20   except OSError as error: return error.strerror\n\
        print('before', look('/data/users/own'), look('/data/users/of-another'))\n\
        os.setgroups([]); os.setgid(3000); os.setuid(3000)\n\
        print('after', look('/data/users/own'), look('/data/users/of-another'))\n";
    let ended = run::finish(&mut run::exec(
        &pod,
        &options,
        &[programs::PYTHON, "-c", script],
    ));
    assert!(
        ended
            .stdout
            .contains("before /data/users/own Permission denied"),
        "{ended:?}"
    );
    assert!(
        ended
            .stdout
            .contains("after Permission denied /data/users/of-another"),
        "{ended:?}"
    );
}
