//! Virtual machines: Java and .NET. Their debug adapters start the machine themselves.

use super::BASE;
use crate::adapter::{Adapter, Front, Port};

/// In the order in which they are tried.
pub(super) static ROWS: &[Adapter] = &[
    Adapter {
        name: "jdwp",
        types: &["java", "kotlin", "scala", "Application", "JarApplication"],
        null_unsets: true,
        executable: &["javaExec"],
        default_executable: Some("java"),
        ports: &[Port::At("/port"), Port::Word("address", None)],
        ..BASE
    },
    Adapter {
        name: "coreclr",
        types: &["clr", "dotnet", "netcoredbg", "monovsdbg"],
        executable: &["program"],
        default_executable: Some("dotnet"),
        front: Front::Nowhere(
            "publish it without `PublishAot`, `StaticExecutable` and `linux-musl` for debugging",
        ),
        ..BASE
    },
];
