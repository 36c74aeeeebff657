//! Where the built product is.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder with `mirrord-server`, `mirrord-agent` and `libmirrord_layer.so`:
/// `MIRRORD_TEST_BIN`, or the debug build of this repository.
pub fn bin() -> &'static Path {
    static BIN: OnceLock<PathBuf> = OnceLock::new();
    BIN.get_or_init(|| {
        let folder = std::env::var_os("MIRRORD_TEST_BIN")
            .map_or_else(|| repository().join("target/debug"), PathBuf::from);
        for name in ["mirrord-server", "mirrord-agent", "libmirrord_layer.so"] {
            assert!(
                folder.join(name).is_file(),
                "{name} is not in {}; build it with `cargo xtask build --dev`",
                folder.display()
            );
        }
        folder
    })
}

/// The server's executable.
pub fn server() -> PathBuf {
    bin().join("mirrord-server")
}

/// The agent's executable.
pub fn agent() -> PathBuf {
    bin().join("mirrord-agent")
}

/// The folder `tests/` of the repository (`MIRRORD_TEST_SOURCES` where it was copied).
pub fn sources() -> PathBuf {
    std::env::var_os("MIRRORD_TEST_SOURCES")
        .map_or_else(|| repository().join("tests"), PathBuf::from)
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests lies in the repository")
        .to_path_buf()
}
