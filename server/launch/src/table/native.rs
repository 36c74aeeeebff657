//! Debuggers of machine code: delve, gdb, LLDB.

use super::BASE;
use crate::adapter::{Adapter, Front, GdbCommands, Port, Serve, Shape, When};

const PROGRAM: &[&str] = &["program"];

const CPPDBG: Adapter = Adapter {
    name: "cppdbg",
    types: &["cpp"],
    // A list of pairs; an `env` object is not read and would be lost in silence.
    env: "environment",
    shape: Shape::Pairs,
    executable: PROGRAM,
    front: Front::Gdb(GdbCommands::Objects("setupCommands")),
    ports: &[Port::At("/miDebuggerServerAddress")],
    ..BASE
};

const CPPDBG_CAN: &str = "debug it with gdb (`\"type\": \"cppdbg\"`, `\"MIMode\": \"gdb\"`)";

/// In the order in which they are tried.
pub(super) static ROWS: &[Adapter] = &[
    Adapter {
        name: "delve",
        types: &["go", "dlv", "GoApplicationRunConfiguration"],
        when: When::Is("debugAdapter", "legacy"),
        serve: Serve::Refuse(
            "the old debug adapter for Go starts delve where no launcher can be put in front of it",
            "take `\"debugAdapter\": \"legacy\"` out of the launch configuration",
        ),
        ..BASE
    },
    Adapter {
        name: "delve",
        types: &["go", "dlv", "GoApplicationRunConfiguration"],
        when: When::Has("port"),
        serve: Serve::Refuse(
            "`port` in the launch configuration means a delve that runs already, and its \
             environment cannot be changed",
            "take `port` out, or start that delve with `mirrord-server exec -- dlv dap`",
        ),
        ..BASE
    },
    Adapter {
        name: "delve",
        types: &["go", "dlv", "GoApplicationRunConfiguration"],
        null_unsets: true,
        // Go programs are static and read their environment from their stack.
        front: Front::Debugger {
            field: "dlvToolPath",
            default: "dlv",
        },
        ports: &[
            Port::Word("--listen", None),
            Port::Word("--client-addr", None),
        ],
        helpers: &["dlv", "go"],
        ..BASE
    },
    Adapter {
        name: "cppvsdbg",
        serve: Serve::Refuse(
            "the debugger `cppvsdbg` works on Windows only",
            "use `\"type\": \"cppdbg\"` with `\"MIMode\": \"gdb\"`, or LLDB",
        ),
        ..BASE
    },
    Adapter {
        when: When::Is("MIMode", "lldb"),
        front: Front::Nowhere(CPPDBG_CAN),
        ..CPPDBG
    },
    CPPDBG,
    Adapter {
        name: "lldb-dap",
        types: &["lldb-vscode"],
        // An object is ignored in silence by the releases that are around.
        shape: Shape::Words,
        executable: PROGRAM,
        front: Front::Nowhere(CPPDBG_CAN),
        ports: &[Port::At("/debugAdapterPort")],
        ..BASE
    },
    // CodeLLDB.
    Adapter {
        name: "lldb",
        types: &["codelldb"],
        executable: PROGRAM,
        front: Front::Nowhere(CPPDBG_CAN),
        ..BASE
    },
    // The extension "Native Debug" has the same type as gdb's own adapter.
    Adapter {
        name: "native-debug",
        types: &["gdb"],
        when: When::Has("target"),
        executable: &["target"],
        front: Front::Gdb(GdbCommands::Texts("autorun")),
        ..BASE
    },
    Adapter {
        name: "gdb",
        executable: PROGRAM,
        // It takes no commands before the start.
        front: Front::Nowhere(CPPDBG_CAN),
        ..BASE
    },
];
