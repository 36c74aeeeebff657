//! Which TCP ports are listened on here, from `/proc/net/tcp` and `/proc/net/tcp6` (proc_net(5)).

use std::collections::HashSet;

use anyhow::{Context, Result};

/// `TCP_LISTEN` of the kernel's `net/tcp_states.h`, as the file prints it.
const LISTEN: &str = "0A";

/// Ports with a listening socket, of any address.
pub fn listening_ports() -> Result<HashSet<u16>> {
    let mut ports = HashSet::new();
    read("/proc/net/tcp", &mut ports)?;
    // Absent where IPv6 is off.
    if std::path::Path::new("/proc/net/tcp6").exists() {
        read("/proc/net/tcp6", &mut ports)?;
    }
    Ok(ports)
}

fn read(path: &str, ports: &mut HashSet<u16>) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("could not read {path}"))?;
    ports.extend(text.lines().skip(1).filter_map(listening_port));
    Ok(())
}

/// `sl local_address rem_address st …`, addresses as `HEX:PORT`.
fn listening_port(line: &str) -> Option<u16> {
    let mut words = line.split_whitespace();
    let local = words.nth(1)?;
    (words.nth(1)? == LISTEN).then_some(())?;
    u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listening_sockets_count() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let ports = listening_ports().unwrap();
        assert!(ports.contains(&port));
        assert!(!ports.contains(&client.local_addr().unwrap().port()));
        drop((listener, client));
        assert!(!listening_ports().unwrap().contains(&port));
    }
}
