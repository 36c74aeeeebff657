//! What this program is when it is started as one of the session's processes.

use std::{
    ffi::OsString,
    io::Write,
    os::fd::{FromRawFd, OwnedFd, RawFd},
    path::Path,
    sync::Arc,
};

use mirrord_agent::{listener::Listener, serve, target::Doors};
use mirrord_files::ServeOptions;
use mirrord_link::{AgentIdentity, SessionIdentity};
use mirrord_supervisor::SupervisorConfig;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// Descriptors that the test left open for us, in the order it names them.
fn inherited() -> impl FnMut() -> OwnedFd {
    let fds: Vec<RawFd> = variable("TEST_FDS")
        .split(',')
        .map(|fd| fd.parse().unwrap())
        .collect();
    let mut fds = fds.into_iter();
    move || {
        let fd = fds.next().expect("enough descriptors");
        // SAFETY: inherited from the test, which names each descriptor once.
        unsafe { OwnedFd::from_raw_fd(fd) }
    }
}

/// As the agent's own `main`.
pub fn agent() {
    let identity = AgentIdentity::new(&variable("TEST_KEY"), "test").unwrap();
    let doors = Doors::open(variable("TEST_TARGET").parse().unwrap()).unwrap();
    let listener = Listener::bind(&variable("TEST_ENDPOINT").parse().unwrap()).unwrap();
    doors.enter().unwrap();
    let target = Arc::new(doors.look_around().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    println!("{}", identity.fingerprint());
    std::io::stdout().flush().unwrap();
    let grace = std::time::Duration::from_secs(60);
    runtime
        .block_on(serve::run(listener, identity, target, grace, None, None))
        .unwrap();
}

/// The file server.
pub fn files() {
    let identity = variable("TEST_IDENTITY");
    let bytes: Vec<u8> = identity
        .split(',')
        .map(|byte| byte.parse().expect("a byte"))
        .collect();
    let options = ServeOptions {
        endpoint: variable("TEST_ENDPOINT").parse().unwrap(),
        identity: SessionIdentity::from_bytes(&bytes).unwrap(),
        writable: true,
        callers_ids: true,
        deadline: std::time::Duration::from_secs(10),
    };
    if let Err(error) = mirrord_files::serve(options, inherited()()) {
        eprintln!("file server: {error}");
    }
}

/// The supervisor.
pub fn supervise() {
    let mut next = inherited();
    let config = SupervisorConfig {
        session: next(),
        files: Some(next()),
        hand_over: next(),
        rules: next(),
        peers: next(),
        owner: 0,
        report_all: true,
        hostname: Some(b"the-pod".to_vec()),
        skipped: Vec::new(),
        launch: None,
        handlers: |context| {
            Ok(vec![Arc::new(mirrord_supervisor::paths::Paths::new(
                context,
            )?)])
        },
    };
    if let Err(error) = mirrord_supervisor::run(config) {
        eprintln!("supervisor: {error}");
        std::process::exit(1);
    }
}

/// The launcher.
pub fn launch(arguments: &[OsString]) -> ! {
    let environment: Vec<_> = std::env::vars_os().collect();
    let environment = mirrord_supervisor::launch::Environment::Given(environment);
    mirrord_supervisor::launch(Path::new(&arguments[0]), &arguments[1..], environment)
}
