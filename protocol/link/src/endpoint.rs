//! Where an agent listens: a Unix socket on this machine, or a TCP address.

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

/// An address that a link can be dialled at; its text is `unix:/path`, `tcp:1.2.3.4:5`
/// or `held:/folder`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Endpoint {
    /// A Unix stream socket; its file permissions are the first guard, the proof is the second.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
    /// The folder of who holds an agent for its session and replaces it when it is lost
    /// ([`HeldState`](crate::HeldState)).
    Held(PathBuf),
}

impl Endpoint {
    /// Whether another agent takes the place of one that is lost.
    pub fn is_held(&self) -> bool {
        matches!(self, Endpoint::Held(_))
    }
}

/// Text that names no endpoint.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an endpoint: write unix:/absolute/path or tcp:ADDRESS:PORT")]
pub struct EndpointError(String);

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Tcp(address) => write!(f, "tcp:{address}"),
            Endpoint::Held(folder) => write!(f, "held:{}", folder.display()),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let refuse = || EndpointError(text.to_owned());
        match text.split_once(':') {
            Some(("unix", path)) if path.starts_with('/') => Ok(Endpoint::Unix(path.into())),
            Some(("held", folder)) if folder.starts_with('/') => Ok(Endpoint::Held(folder.into())),
            Some(("tcp", address)) => address.parse().map(Endpoint::Tcp).map_err(|_| refuse()),
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_back_as_written() {
        for text in [
            "unix:/run/a socket",
            "held:/run/a folder",
            "tcp:127.0.0.1:80",
            "tcp:[::1]:80",
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for text in [
            "unix:relative",
            "held:relative",
            "tcp:localhost:80",
            "/run/a",
            "udp:1.1.1.1:1",
            "",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
