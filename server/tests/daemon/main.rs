//! The daemon and its forwarder, as editors see them: the real binary over real pipes and sockets.

mod client;
mod framing;
mod life;
mod methods;

fn server() -> std::path::PathBuf {
    env!("CARGO_BIN_EXE_mirrord-server").into()
}
