//! What tunes processes and tricks of mirrord, and what waits for other parts of ours.

use super::Shape::{Address, Bool, Keys, Text, TextList, Words};
use super::{Shape, U32, U64, key};
use crate::group::{Status, Word};

const DELIVERIES: &[Word] = &[
    Word {
        word: "tls",
        doc: "As TLS.",
    },
    Word {
        word: "tcp",
        doc: "Without TLS.",
    },
];

pub(crate) const TLS_DELIVERY: Shape = Keys(&[
    key("protocol", Words(DELIVERIES), "How the program gets it."),
    key(
        "trust_roots",
        TextList,
        "PEM files, or folders of them, that the program's certificate is checked with.",
    ),
    key(
        "server_name",
        Text,
        "The name that the program is called by.",
    ),
    key(
        "server_cert",
        Text,
        "PEM file of the program's certificate.",
    ),
]);

pub(crate) const INTERNAL_PROXY: Shape = Keys(&[
    key(
        "start_idle_timeout",
        U64,
        "Seconds that the first program has to appear.",
    ),
    key(
        "idle_timeout",
        U64,
        "Seconds without a program after which it ends.",
    ),
    key("ping_interval", U64, "Seconds between pings to the agent."),
    key(
        "process_logging_interval",
        U64,
        "Seconds between lists of programs in its log.",
    ),
    key(
        "socket_timeout",
        U64,
        "Milliseconds that a socket of its may stall.",
    ),
    key("log_level", Text, "Its log level."),
    key("log_destination", Text, "Its log file."),
    key("json_log", Bool, "Write its log as JSON."),
]);

pub(crate) const EXTERNAL_PROXY: Shape = Keys(&[
    key("host_ip", Address, "Address that it listens on."),
    key("tls_enable", Bool, "Let the container speak TLS to it."),
    key(
        "start_idle_timeout",
        U64,
        "Seconds that the first connection has to appear.",
    ),
    key(
        "idle_timeout",
        U64,
        "Seconds without a connection after which it ends.",
    ),
    key("log_level", Text, "Its log level."),
    key("log_destination", Text, "Its log file."),
    key("json_log", Bool, "Write its log as JSON."),
]);

pub(crate) const CONTAINER: Shape = Keys(&[
    key(
        "cli_extra_args",
        TextList,
        "More arguments for the container beside the program's.",
    ),
    key("cli_image", Text, "Its image."),
    key(
        "cli_image_lib_path",
        Text,
        "Where the layer lies in that image.",
    ),
    key("cli_prevent_cleanup", Bool, "Keep it when it has ended."),
    key("cli_tls_path", Text, "Where its certificate is put."),
    key(
        "host_gateway_detection",
        Bool,
        "Reach this machine through the runtime's host gateway.",
    ),
    key(
        "override_host_ip",
        Address,
        "Address that it reaches this machine at.",
    ),
    key(
        "platform",
        Text,
        "Platform of the program's container, as `linux/amd64`.",
    ),
]);

const ALWAYS: Status = Status::Deprecated {
    why: "it is always so",
    replacement: None,
};

pub(crate) const EXPERIMENTAL: Shape = Keys(&[
    key(
        "tcp_ping4_mock",
        Bool,
        "Answer pings over TCP to a known address.",
    ),
    key(
        "trust_any_certificate",
        Bool,
        "Trust any certificate on macOS.",
    ),
    key("enable_exec_hooks_linux", Bool, "Follow `exec` on Linux."),
    key(
        "hide_ipv6_interfaces",
        Bool,
        "Leave IPv6 interfaces out of `getifaddrs`.",
    ),
    key(
        "disable_reuseaddr",
        Bool,
        "Take SO_REUSEADDR from sockets that listen.",
    ),
    key("use_dev_null", Bool, "Use /dev/null for stand-in files."),
    key(
        "idle_local_http_connection_timeout",
        U64,
        "Milliseconds that idle HTTP connections to the program are kept.",
    ),
    key(
        "ignore_system_proxy_config",
        Bool,
        "Keep macOS' proxy settings from the program.",
    ),
    key(
        "browser_extension_config",
        Bool,
        "Open a browser extension that adds the filter's header.",
    ),
    key(
        "sip_log_destination",
        Text,
        "Log file of patching on macOS.",
    ),
    key(
        "dlopen_cgo",
        Bool,
        "Follow Go libraries that are loaded late.",
    ),
    key("applev", Keys(&[]), "Show macOS' own variables."),
    key("go_asmcgocall", Bool, "How stacks are switched for Go."),
    key(
        "guard_std_fds",
        Bool,
        "See that descriptors 0 to 2 are open.",
    ),
    key(
        "non_blocking_tcp_connect",
        Bool,
        "Connect without blocking.",
    )
    .status(ALWAYS),
    key("sip_utils", Bool, "Use ready-made tools on macOS.").status(ALWAYS),
    key(
        "latency",
        Keys(&[
            key("transmit_delay", U64, "Milliseconds on what is sent."),
            key("receive_delay", U64, "Milliseconds on what is received."),
        ]),
        "Slow the network down.",
    )
    .status(Status::Deprecated {
        why: "it was for trying; `tc` on the target's network slows it down for real",
        replacement: None,
    }),
]);

pub(crate) const STARTUP_RETRY: Shape = Keys(&[
    key(
        "min_ms",
        U64,
        "The shortest time between two tries, in milliseconds.",
    ),
    key(
        "max_ms",
        U64,
        "The longest time between two tries, in milliseconds.",
    ),
    key("max_retries", U32, "How often it is tried again."),
]);
