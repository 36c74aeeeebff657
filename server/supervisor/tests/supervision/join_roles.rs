//! What this program is for the cases of joining.

use std::{
    ffi::OsString,
    fs::File,
    io::{Read, Write},
    os::{
        fd::{AsRawFd, FromRawFd},
        unix::{ffi::OsStrExt, net::UnixListener, process::ExitStatusExt},
    },
    path::Path,
    process::{Command, Stdio},
};

use mirrord_filter::{environment::Token, hand_over::Supervisor, install::install};

/// The launcher in front of a program that somebody else starts.
pub fn join(arguments: &[OsString]) -> ! {
    let environment = mirrord_supervisor::launch::Environment::Own;
    mirrord_supervisor::launch(Path::new(&arguments[0]), &arguments[1..], environment)
}

/// Listens on a socket as somebody else, until stdin ends.
pub fn listen(arguments: &[OsString]) {
    let _listener = UnixListener::bind(&arguments[0]).expect("a socket");
    let _ = std::io::stdin().read(&mut [0]);
}

/// Hands over the listener of its child as if it were its own.
pub fn forge(arguments: &[OsString]) {
    let supervisor = Supervisor::connect(arguments[0].as_bytes()).expect("a supervisor");
    supervisor.ask(Some(&Token([0x5a; 32]))).expect("admitted");
    let mut child = Command::new(std::env::current_exe().unwrap());
    let mut child = child
        .arg("filtered")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut number = [0; 4];
    let said = child.stdout.as_mut().unwrap();
    said.read_exact(&mut number).unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).unwrap();
    let flags = rustix::process::PidfdGetfdFlags::empty();
    let listener = rustix::process::pidfd_getfd(&pidfd, i32::from_ne_bytes(number), flags).unwrap();
    supervisor
        .hand_over(listener.as_raw_fd())
        .expect("it is a listener, and whose is seen with its first call");
    drop(listener);
    child.stdin.take().unwrap().write_all(b"x").unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGKILL), "{status}");
    println!("the other one was killed");
}

/// Puts the filter on and says the listener's number; when it is told so, makes a listed call.
pub fn filtered() {
    // SAFETY: the standard streams, which nobody else reads or writes.
    let (mut stdin, mut stdout) = unsafe { (File::from_raw_fd(0), File::from_raw_fd(1)) };
    let listener = install().expect("a filter");
    stdout.write_all(&listener.to_ne_bytes()).unwrap();
    stdin.read_exact(&mut [0]).unwrap();
    let opened = File::open("/dev/null");
    unreachable!("the call was answered: {opened:?}");
}
