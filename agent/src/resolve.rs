//! Names, resolved as the target would: its hosts file, its search list, its name servers, asked
//! from its network. Programs resolve by themselves through the pod's files and sockets; this is
//! for the session, which compares hosts that a rule names.
//!
//! `getaddrinfo(3)` would read the agent's own files, so the little that is needed is here.

mod any_answer;
mod config;
mod message;

use std::{
    net::{IpAddr, SocketAddr},
    os::fd::AsFd,
    time::Duration,
};

use mirrord_protocol::control::{Notice, RemoteError};
use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::Errno,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};

use crate::target::Target;
pub use any_answer::any_answer;
use config::Config;
use message::{Answer, Kind, Query};

/// A configuration file larger than this is none.
const MAX_FILE: u64 = 1 << 20;

/// Resolves a name with the target's hosts file, search list and name servers.
pub async fn resolve(target: &Target, host: &str) -> Result<Vec<IpAddr>, RemoteError> {
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let found = config::in_hosts(&read(target, "etc/hosts")?, host);
    if !found.is_empty() {
        return Ok(found);
    }
    let config = Config::parse(&read(target, "etc/resolv.conf")?);
    ask_all(&config, host).await
}

/// The domains that the target's programs complete short names with.
pub fn search(target: &Target) -> Vec<String> {
    configured(target).map_or_else(Vec::new, |config| config.search)
}

/// How the target's programs look names up.
pub fn settings(target: &Target) -> Option<Notice> {
    let Config {
        servers,
        search,
        ndots,
        ..
    } = configured(target)?;
    Some(Notice::Resolver {
        servers,
        search,
        ndots,
    })
}

fn configured(target: &Target) -> Option<Config> {
    read(target, "etc/resolv.conf")
        .inspect_err(|error| tracing::warn!(%error, "the pod's search list is not known"))
        .map(|text| Config::parse(&text))
        .ok()
}

/// Asks for each candidate name in turn, as the search list orders them.
async fn ask_all(config: &Config, host: &str) -> Result<Vec<IpAddr>, RemoteError> {
    for name in config.candidates(host) {
        let (four, six) = tokio::join!(ask(config, &name, Kind::A), ask(config, &name, Kind::Aaaa));
        let addresses: Vec<IpAddr> = match (four, six) {
            (Ok(four), Ok(six)) => four.into_iter().chain(six).collect(),
            // One family is enough; an empty answer beside an error is no answer.
            (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => found,
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        if !addresses.is_empty() {
            return Ok(addresses);
        }
    }
    let message = format!("the pod's resolver knows no host {host}");
    Err(RemoteError {
        errno: libc::ENOENT,
        message,
    })
}

/// Asks the servers in turn, as often as the configuration says.
async fn ask(config: &Config, name: &str, kind: Kind) -> Result<Vec<IpAddr>, RemoteError> {
    let query = Query::new(name, kind).ok_or_else(|| RemoteError {
        errno: libc::EINVAL,
        message: format!("`{name}` is not a host name"),
    })?;
    let mut last = "no name server is configured".to_owned();
    for _ in 0..config.attempts {
        for &server in &config.servers {
            match timeout(config.timeout, ask_server(server, &query)).await {
                Ok(Ok(addresses)) => return Ok(addresses),
                Ok(Err(error)) => last = format!("{server}: {error}"),
                Err(_) => last = format!("{server} did not answer within {:?}", config.timeout),
            }
        }
    }
    let message = format!("could not resolve {name} in the pod: {last}");
    Err(RemoteError {
        errno: libc::ETIMEDOUT,
        message,
    })
}

async fn ask_server(server: SocketAddr, query: &Query) -> std::io::Result<Vec<IpAddr>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => [0; 4].into(),
        SocketAddr::V6(_) => [0; 16].into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Connected: answers from anybody else are dropped by the kernel.
    socket.connect(server).await?;
    socket.send(&query.bytes).await?;
    let mut buffer = [0; 4096];
    loop {
        let size = socket.recv(&mut buffer).await?;
        match query.parse(&buffer[..size]) {
            Answer::Addresses(addresses) => return Ok(addresses),
            Answer::Truncated => return ask_over_tcp(server, query).await,
            Answer::Refused(text) => return Err(std::io::Error::other(text)),
            // Late or forged: the real answer may still come.
            Answer::NotOurs => {}
        }
    }
}

async fn ask_over_tcp(server: SocketAddr, query: &Query) -> std::io::Result<Vec<IpAddr>> {
    let mut stream = TcpStream::connect(server).await?;
    let size = u16::try_from(query.bytes.len()).map_err(std::io::Error::other)?;
    let mut framed = size.to_be_bytes().to_vec();
    framed.extend_from_slice(&query.bytes);
    stream.write_all(&framed).await?;
    let size = stream.read_u16().await?;
    let mut answer = vec![0; size.into()];
    stream.read_exact(&mut answer).await?;
    match query.parse(&answer) {
        Answer::Addresses(addresses) => Ok(addresses),
        Answer::Refused(text) => Err(std::io::Error::other(text)),
        Answer::Truncated | Answer::NotOurs => Err(std::io::ErrorKind::InvalidData.into()),
    }
}

/// A file of the target as text; empty where there is none.
fn read(target: &Target, path: &str) -> Result<String, RemoteError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let opened = rustix::fs::openat2(target.root.as_fd(), path, flags, Mode::empty(), inside);
    let failed = |error: std::io::Error| RemoteError {
        errno: error.raw_os_error().unwrap_or(libc::EIO),
        message: format!("could not read /{path} in the pod: {error}"),
    };
    let file = match opened {
        Ok(file) => std::fs::File::from(file),
        Err(Errno::NOENT) => return Ok(String::new()),
        Err(errno) => return Err(failed(errno.into())),
    };
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_FILE), &mut bytes)
        .map_err(failed)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// How long one server may take unless the file says otherwise (resolv.conf(5)).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    /// A name server on loopback that knows `db.shop.svc` and gives a truncated answer first.
    async fn server() -> SocketAddr {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = udp.local_addr().unwrap();
        let tcp = tokio::net::TcpListener::bind(address).await.unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let (size, peer) = udp.recv_from(&mut buffer).await.unwrap();
                // First something that is not an answer to this query.
                udp.send_to(&[0; 12], peer).await.unwrap();
                let truncated = message::tests::answer(&buffer[..size], 0x8200, None);
                udp.send_to(&truncated, peer).await.unwrap();
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let size = stream.read_u16().await.unwrap();
                let mut query = vec![0; size.into()];
                stream.read_exact(&mut query).await.unwrap();
                let known = query
                    .windows(15)
                    .any(|at| at == b"\x02db\x04shop\x03svc\0\0\x01");
                let found = known.then_some([10, 1, 2, 3]);
                let answer = message::tests::answer(&query, 0x8180, found);
                stream.write_u16(answer.len() as u16).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn the_search_list_leads_to_the_name_also_over_tcp() {
        let mut config = Config::parse("search nowhere.local shop.svc\noptions ndots:2\n");
        config.servers = vec![server().await];
        let expected: IpAddr = [10, 1, 2, 3].into();
        assert_eq!(ask_all(&config, "db").await.unwrap(), [expected]);
        assert_eq!(ask_all(&config, "db.shop.svc.").await.unwrap(), [expected]);
        let unknown = ask_all(&config, "other").await.unwrap_err();
        assert_eq!(unknown.errno, libc::ENOENT);
    }

    #[tokio::test]
    async fn a_server_that_is_silent_is_given_up() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut config = Config::parse("");
        config.servers = vec![silent.local_addr().unwrap()];
        (config.timeout, config.attempts) = (Duration::from_millis(30), 2);
        assert_eq!(
            ask_all(&config, "db").await.unwrap_err().errno,
            libc::ETIMEDOUT
        );
    }
}
