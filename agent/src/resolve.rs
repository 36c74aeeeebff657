//! Names, resolved as the target would (not there yet).

use std::net::IpAddr;

use mirrord_protocol::control::RemoteError;

use crate::target::Target;

/// Resolves a name with the target's hosts file, search list and name servers.
pub async fn resolve(_target: &Target, host: &str) -> Result<Vec<IpAddr>, RemoteError> {
    let message = format!("resolving {host} in the agent is not there yet");
    Err(RemoteError {
        errno: libc::ENOSYS,
        message,
    })
}
