//! Languages whose interpreter is the debuggee: JavaScript, Python, Ruby, PHP.

use super::BASE;
use crate::adapter::{Adapter, Front, Port, Serve, Shape, When};

const NODE_PORTS: &[Port] = &[
    Port::At("/attachSimplePort"),
    Port::Word("--inspect-brk", Some(9229)),
    Port::Word("--inspect", Some(9229)),
    Port::Word("--inspect-wait", Some(9229)),
];

const NODE: Adapter = Adapter {
    name: "js-debug",
    env: "env",
    shape: Shape::Object,
    null_unsets: true,
    executable: &["runtimeExecutable"],
    default_executable: Some("node"),
    front: Front::Fields {
        executable: "runtimeExecutable",
        arguments: "runtimeArgs",
    },
    ports: NODE_PORTS,
    // It also looks for a free port with a Node of its own, which its name does not tell apart.
    helpers: &["which"],
    ..BASE
};

const PYTHON: Adapter = Adapter {
    name: "debugpy",
    types: &["python"],
    executable: &["python", "pythonPath"],
    default_executable: Some("python3"),
    front: Front::List("python"),
    ports: &[
        Port::At("/connect/port"),
        Port::At("/listen/port"),
        Port::At("/connect"),
        Port::At("/listen"),
        Port::At("/port"),
    ],
    helpers: &["uname"],
    ..BASE
};

const PHP_INTERPRETER: Adapter = Adapter {
    name: "php",
    executable: &["runtimeExecutable"],
    default_executable: Some("php"),
    front: Front::Fields {
        executable: "runtimeExecutable",
        arguments: "runtimeArgs",
    },
    // The program connects to the editor, not the other way round.
    ports: &[Port::Usually("/port", 9003)],
    ..BASE
};

const BROWSER: &str = "the debuggee is a browser page, not a process that could be in a pod; \
                       debug the server behind it";

/// In the order in which they are tried.
pub(super) static ROWS: &[Adapter] = &[
    // js-debug starts a session of its own for each process of the first one. Those have joined.
    Adapter {
        types: &["node", "pwa-node", "node-terminal"],
        when: When::Has("__parentId"),
        serve: Serve::Skip("it belongs to a debug session whose processes have joined already"),
        ..NODE
    },
    Adapter {
        types: &["node", "pwa-node"],
        ..NODE
    },
    // A terminal in which every Node is debugged; its shell carries the variables.
    Adapter {
        name: "js-debug-terminal",
        types: &["node-terminal"],
        executable: &[],
        default_executable: None,
        ..NODE
    },
    Adapter {
        name: "browser",
        types: &[
            "chrome",
            "pwa-chrome",
            "msedge",
            "pwa-msedge",
            "firefox",
            "webkit",
        ],
        serve: Serve::Skip(BROWSER),
        ..BASE
    },
    Adapter {
        name: "extension-host",
        types: &["extensionHost", "pwa-extensionHost"],
        serve: Serve::Skip("the debuggee is the editor itself"),
        ..BASE
    },
    PYTHON,
    Adapter {
        name: "pydevd",
        types: &["pycharm", "PythonConfigurationType"],
        ports: &[Port::Word("--port", None)],
        ..PYTHON
    },
    Adapter {
        name: "rdbg",
        types: &["ruby", "ruby_lsp", "Ruby"],
        executable: &["command"],
        default_executable: Some("ruby"),
        ports: &[
            Port::At("/debugPort"),
            Port::At("/port"),
            Port::Word("--port", None),
        ],
        ..BASE
    },
    Adapter {
        when: When::HasNone(&["program", "runtimeArgs", "runtimeExecutable"]),
        serve: Serve::Skip(
            "it only listens for Xdebug; start the PHP server with `mirrord-server exec`",
        ),
        ..PHP_INTERPRETER
    },
    PHP_INTERPRETER,
];
