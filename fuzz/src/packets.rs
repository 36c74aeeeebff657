//! Packets that arrive in the pod while a port is mirrored, and the streams made of them.

/// Tries them.
pub fn run(bytes: &[u8]) {
    mirrord_agent::fuzzing::any_packets(bytes);
}
