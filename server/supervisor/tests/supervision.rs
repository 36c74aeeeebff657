//! The supervisor with real filters, real processes and real signals. This program is test
//! runner, supervisor and launcher in one (a supervisor must be a process of one thread, which a
//! test of the usual harness is not), with test handlers in place of paths and sockets.

#[path = "supervision/bed.rs"]
mod bed;
#[path = "supervision/cases.rs"]
mod cases;
#[path = "supervision/handlers.rs"]
mod handlers;
#[path = "supervision/join_cases.rs"]
mod join_cases;
#[path = "supervision/join_roles.rs"]
mod join_roles;
#[path = "supervision/layer_cases.rs"]
mod layer_cases;
#[path = "supervision/runner.rs"]
mod runner;

fn main() {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|role| role.to_str()) {
        Some("supervisor") => bed::supervise(),
        Some("launch") => bed::launch(&arguments[1..]),
        Some("join") => join_roles::join(&arguments[1..]),
        Some("listen") => join_roles::listen(&arguments[1..]),
        Some("forge") => join_roles::forge(&arguments[1..]),
        Some("filtered") => join_roles::filtered(),
        filter => runner::run(
            filter,
            &[cases::ALL, layer_cases::ALL, join_cases::ALL].concat(),
        ),
    }
}
