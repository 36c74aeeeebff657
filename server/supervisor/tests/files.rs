//! Path calls through every real part: a target process with a root folder of its own, an agent
//! that serves its files, the file server's mount, the supervisor's filter, and unmodified
//! programs. The same program does the same work inside the target and under the supervisor, and
//! must print the same. Needs root: for a target that has another root and another user.

#[path = "files/bed.rs"]
mod bed;
#[path = "files/cases.rs"]
mod cases;
#[path = "files/execution.rs"]
mod execution;
#[path = "files/programs.rs"]
mod programs;
#[path = "files/roles.rs"]
mod roles;
#[path = "supervision/runner.rs"]
mod runner;

fn main() {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|role| role.to_str()) {
        Some("agent") => roles::agent(),
        Some("files") => roles::files(),
        Some("supervisor") => roles::supervise(),
        Some("launch") => roles::launch(&arguments[1..]),
        _ if !rustix::process::geteuid().is_root() => {
            println!("SKIPPED: these tests need root, for a target with a root folder of its own");
        }
        filter => runner::run(filter, cases::ALL),
    }
}
