//! Launches without a debugger: runs, tests, tasks, terminals; and what only looks like a launch.

use super::BASE;
use crate::adapter::{Adapter, Front, Serve};

const RUN: Adapter = Adapter {
    name: "run",
    types: &["test", "process", "shell-script"],
    executable: &["program", "runtimeExecutable", "command"],
    front: Front::Fields {
        executable: "program",
        arguments: "args",
    },
    ..BASE
};

/// In the order in which they are tried.
pub(super) static ROWS: &[Adapter] = &[
    RUN,
    // What is typed there later is not known: the shell joins, and all that it starts.
    Adapter {
        name: "terminal",
        types: &[],
        executable: &["program", "shellPath"],
        front: Front::Fields {
            executable: "shellPath",
            arguments: "shellArgs",
        },
        null_unsets: true,
        ..RUN
    },
    Adapter {
        name: "task",
        types: &["shell"],
        executable: &["command"],
        front: Front::Fields {
            executable: "command",
            arguments: "args",
        },
        ..RUN
    },
    Adapter {
        name: "docker",
        types: &[
            "docker-launch",
            "docker-server",
            "docker-python",
            "docker-netcore",
        ],
        serve: Serve::Refuse(
            "this launch starts its container through a task of the Docker extension, which \
             cannot be given a mount from here",
            "start the container with a `docker run` command as a run configuration, or debug \
             the program without a container",
        ),
        ..BASE
    },
    Adapter {
        name: "compound",
        serve: Serve::Skip("each member of a compound is asked for by itself"),
        ..BASE
    },
];
