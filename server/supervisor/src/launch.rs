//! The launcher: puts the filter on itself, gives the listener away, and becomes the program.
//!
//! It needs nothing of the program, so it works for static and stripped ones. It stays the same
//! process, so a debugger or a shell that started it sees one exec more and nothing else.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        process::CommandExt,
    },
    path::Path,
    process::Command,
};

use mirrord_filter::{
    Errno, control,
    environment::{self, Changes, Token},
    hand_over::{self, Supervisor},
    install::install,
    sys,
};

/// As shells do.
const NOT_FOUND: i32 = 127;
const NOT_STARTED: i32 = 126;

/// The program's environment.
pub enum Environment {
    /// This one: the session starts the program itself.
    Given(Vec<(OsString, OsString)>),
    /// Our own with the changes of the launch, whose token is in it.
    Own,
}

type Variables = Vec<(OsString, OsString)>;

/// Why a program does not join.
enum Trouble {
    /// It can still run as if there had been no session.
    Outside(Errno),
    /// The filter is on, and nobody serves it.
    Inside(&'static str, Errno),
}

/// Becomes `command` (name and arguments, looked for in `PATH` as execvp(3) does) under the
/// supervisor that listens on `socket`. Does not return; on failure says why in one line and
/// exits with 127 (not found) or 126.
pub fn launch(socket: &Path, command: &[OsString], environment: Environment) -> ! {
    let Some((name, arguments)) = command.split_first() else {
        fail(NOT_STARTED, "no command was given; write it after `--`");
    };
    let variables = match environment {
        Environment::Given(variables) => match supervise(socket, None) {
            Ok(()) => variables,
            Err(Trouble::Outside(errno)) => fail(
                NOT_STARTED,
                &format!("could not join the session: {}", explained(socket, errno)),
            ),
            Err(Trouble::Inside(what, errno)) => fail_inside(what, errno),
        },
        Environment::Own => join(socket),
    };
    let error = Command::new(name)
        .args(arguments)
        .env_clear()
        .envs(variables)
        .exec();
    let code = if error.kind() == io::ErrorKind::NotFound {
        NOT_FOUND
    } else {
        NOT_STARTED
    };
    fail(
        code,
        &format!("could not start {}: {error}", name.display()),
    )
}

/// Joins by the token in our environment and gives what the environment becomes. With a session
/// that is gone the program runs as if there had been none, or not at all, as it was told.
fn join(socket: &Path) -> Variables {
    let own: Variables = std::env::vars_os().collect();
    let named = |name: &std::ffi::CStr| std::env::var_os(OsStr::from_bytes(name.to_bytes()));
    let Some(text) = named(environment::TOKEN) else {
        // The layer was loaded into us, and has joined.
        return own;
    };
    let token = Token::from_hex(text.as_bytes());
    let joined = match &token {
        None => Err(Trouble::Outside(Errno(libc::EPERM))),
        Some(token) => supervise(socket, Some(token)).and_then(|()| {
            control::environment(token)
                .map_err(|errno| Trouble::Inside("get the launch's environment", errno))
        }),
    };
    match joined {
        Ok(changes) => match changed(&own, changes) {
            Ok(variables) => variables,
            Err(error) => fail(
                NOT_STARTED,
                &format!("could not read the launch's environment: {error}"),
            ),
        },
        Err(Trouble::Inside(what, errno)) => fail_inside(what, errno),
        Err(Trouble::Outside(errno)) => {
            let why = explained(socket, errno);
            if named(environment::WITHOUT_SESSION).is_some_and(|word| word == "stop") {
                fail(
                    NOT_STARTED,
                    &format!(
                        "this program was not started (MIRRORD_WITHOUT_SESSION=stop): {why}. Start it again from your editor"
                    ),
                );
            }
            crate::tell(format_args!(
                "this program runs on this machine only: {why}. Start it again from your editor to run it in the pod"
            ));
            let ours = [environment::TOKEN, environment::SUPERVISOR].map(|name| name.to_bytes());
            own.into_iter()
                .filter(|(name, _)| !ours.contains(&name.as_bytes()))
                .collect()
        }
    }
}

/// Under a supervisor already (a program of the session started the launcher): nothing to do.
fn supervise(socket: &Path, token: Option<&Token>) -> Result<(), Trouble> {
    if control::is_supervised() {
        return Ok(());
    }
    let supervisor =
        Supervisor::connect(socket.as_os_str().as_bytes()).map_err(Trouble::Outside)?;
    supervisor.ask(token).map_err(Trouble::Outside)?;
    supervisor.permit();
    let listener = install().map_err(Trouble::Outside)?;
    let handed = supervisor.hand_over(listener);
    sys::close(listener);
    handed.map_err(|errno| Trouble::Inside("hand its system calls over to the session", errno))?;
    // The first call behind the listener must be ours.
    match control::is_supervised() {
        true => Ok(()),
        false => Err(Trouble::Inside(
            "reach the session by a system call",
            Errno(libc::ENOSYS),
        )),
    }
}

/// An environment after the changes in a memory file.
fn changed(own: &[(OsString, OsString)], changes: i32) -> io::Result<Variables> {
    use std::os::fd::FromRawFd;
    // SAFETY: the supervisor put it into our table for this, and nobody else knows its number.
    let changes = unsafe { std::fs::File::from_raw_fd(changes) };
    let mut block = vec![0; changes.metadata()?.len() as usize];
    // Its offset is shared with every other program of the launch.
    std::os::unix::fs::FileExt::read_exact_at(&changes, &mut block, 0)?;
    let entry =
        |(name, value): &(OsString, OsString)| [name.as_bytes(), b"=", value.as_bytes()].concat();
    let own: Vec<Vec<u8>> = own.iter().map(entry).collect();
    let mut variables = Variables::new();
    Changes::new(&block).apply(own.iter().map(Vec::as_slice), |entry| {
        let end = entry.iter().skip(1).position(|byte| *byte == b'=');
        let (name, value) = entry.split_at(end.map_or(entry.len(), |end| end + 1));
        let value = value.get(1..).unwrap_or_default();
        variables.push((
            OsString::from_vec(name.to_vec()),
            OsString::from_vec(value.to_vec()),
        ));
    });
    Ok(variables)
}

fn explained(socket: &Path, errno: Errno) -> String {
    let error = io::Error::from_raw_os_error(errno.0);
    let reason = hand_over::reason(errno);
    format!("{reason} ({}: {error})", socket.display())
}

fn fail_inside(what: &str, errno: Errno) -> ! {
    if hand_over::ended_meanwhile(errno) {
        fail(
            NOT_STARTED,
            "the session ended while this program was starting, so it was not started. Start it again",
        );
    }
    let error = io::Error::from_raw_os_error(errno.0);
    fail(NOT_STARTED, &format!("could not {what}: {error}"))
}

fn fail(code: i32, text: &str) -> ! {
    crate::tell(format_args!("{text}"));
    std::process::exit(code)
}
