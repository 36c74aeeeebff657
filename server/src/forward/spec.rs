//! How ports to forward are written.

use std::fmt;
use std::str::FromStr;

/// `-L`: a port of this machine and where it leads, seen from the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// On this machine; 0 for any that is free.
    pub port: u16,
    /// A name or an address, as the pod knows it.
    pub host: String,
    /// Its port.
    pub to: u16,
}

/// `-R`: a port of the pod and the port of this machine that its clients get to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// In the pod.
    pub port: u16,
    /// On this machine.
    pub to: u16,
}

/// Text that is no forward.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Of `-L`.
    #[error(
        "{0:?} is no forward: {1}; write [LOCAL_PORT:]HOST:PORT (8080:orders:80, orders:80, \
         8080:[fd00::1]:80), or LOCAL_PORT:PORT and PORT for the pod itself"
    )]
    Local(String, &'static str),
    /// Of `-R`.
    #[error("{0:?} is no forward: {1}; write [POD_PORT:]LOCAL_PORT (80:8080, 8080)")]
    Remote(String, &'static str),
}

const NO_PORT: &str = "a port is a number from 1 to 65535";
const NO_HOST: &str = "the host is missing";
const BRACKETS: &str = "an IPv6 address stands in brackets";

/// The pod itself.
const POD: &str = "localhost";

impl FromStr for Local {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let wrong = |why| SpecError::Local(text.to_owned(), why);
        let (rest, to) = match text.rsplit_once(':') {
            Some((rest, port)) => (rest, number(port).ok_or(wrong(NO_PORT))?),
            None => {
                let port = number(text).ok_or(wrong(NO_PORT))?;
                return Ok(Local {
                    port,
                    host: POD.to_owned(),
                    to: port,
                });
            }
        };
        // In front of the host, or all there is: `8080:80` speaks of the pod itself.
        let (port, host) = match rest.strip_suffix(']') {
            Some(inside) => {
                let (before, address) = inside.split_once('[').ok_or(wrong(BRACKETS))?;
                let address: std::net::Ipv6Addr = address.parse().map_err(|_| wrong(BRACKETS))?;
                let port = match before {
                    "" => None,
                    before => Some(before.strip_suffix(':').ok_or(wrong(BRACKETS))?),
                };
                (port, address.to_string())
            }
            None => match rest.split_once(':') {
                Some((_, host)) if host.contains(':') => return Err(wrong(BRACKETS)),
                Some((port, host)) => (Some(port), host.to_owned()),
                None if rest.bytes().all(|byte| byte.is_ascii_digit()) && !rest.is_empty() => {
                    (Some(rest), POD.to_owned())
                }
                None => (None, rest.to_owned()),
            },
        };
        if host.is_empty() {
            return Err(wrong(NO_HOST));
        }
        let port = match port {
            // Any that is free.
            Some("0") => 0,
            Some(port) => number(port).ok_or(wrong(NO_PORT))?,
            None => to,
        };
        Ok(Local { port, host, to })
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.to),
            false => write!(f, "{}:{}", self.host, self.to),
        }
    }
}

impl FromStr for Remote {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (port, to) = text.split_once(':').unwrap_or((text, text));
        match (number(port), number(to)) {
            (Some(port), Some(to)) => Ok(Remote { port, to }),
            _ => Err(SpecError::Remote(text.to_owned(), NO_PORT)),
        }
    }
}

/// A port that can be named; digits only, for `parse` would take a sign too.
fn number(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_forwards_have_long_and_short_forms() {
        for (text, port, host, to) in [
            ("8080:orders:80", 8080, "orders", 80),
            ("orders:80", 80, "orders", 80),
            ("8080:10.0.0.1:80", 8080, "10.0.0.1", 80),
            ("8080:[fd00::1]:80", 8080, "fd00::1", 80),
            ("[fd00::1]:80", 80, "fd00::1", 80),
            ("8080:80", 8080, "localhost", 80),
            ("80", 80, "localhost", 80),
            ("0:orders:80", 0, "orders", 80),
        ] {
            let host = host.to_owned();
            assert_eq!(text.parse(), Ok(Local { port, host, to }), "{text}");
        }
    }

    #[test]
    fn what_is_no_local_forward_says_how_to_write_one() {
        for text in [
            "",
            "x",
            ":80",
            "8080::80",
            "orders:",
            "orders:0",
            "orders:99999",
            "8080:fd00::1:80",
            "8080:[x]:80",
            "8080[::1]:80",
            "a:b:c",
            "+1:b:2",
            "8080:orders:+80",
            "70000:80",
        ] {
            let error = text.parse::<Local>().expect_err(text).to_string();
            assert!(error.contains("8080:orders:80"), "{error}");
        }
    }

    #[test]
    fn remote_forwards_are_one_or_two_ports() {
        assert_eq!("80:8080".parse(), Ok(Remote { port: 80, to: 8080 }));
        assert_eq!("80".parse(), Ok(Remote { port: 80, to: 80 }));
        for text in ["", "0", "80:", ":80", "80:x", "1:2:3", "80:0"] {
            assert!(text.parse::<Remote>().is_err(), "{text}");
        }
    }
}
