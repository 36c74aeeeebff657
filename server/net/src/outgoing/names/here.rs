//! Questions that this machine's resolver answers instead of the pod's name server.
//!
//! Addresses come from `getaddrinfo(3)`, so hosts files and all else that a program of this
//! machine would have been served by are in it. Everything else can only be in the name service,
//! and is asked of this machine's name servers as it came.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use simple_dns::rdata::{OPT, RData};
use simple_dns::{CLASS, OPCODE, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::NAME_SERVICE;

/// What fits into an answer for a client that does not say (RFC 1035), and at most (RFC 9715).
const PLAIN: u16 = 512;
const LARGEST: u16 = 1232;
/// `getaddrinfo` does not say how long an answer holds.
const TTL: u32 = 0;
/// How long one name server may take (resolv.conf(5)).
const WITHIN: Duration = Duration::from_secs(5);

/// How a question came, and its answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Udp,
    Tcp,
}

/// One question of the program.
pub(super) struct Question {
    /// What is asked for here; at first what stands in the message, in small letters.
    pub(super) name: String,
    kind: QTYPE,
    message: Vec<u8>,
}

impl Question {
    /// `None` to everything that is no plain question.
    pub(super) fn read(message: &[u8]) -> Option<Question> {
        let packet = Packet::parse(message).ok()?;
        let plain =
            packet.opcode() == OPCODE::StandardQuery && !packet.has_flags(PacketFlag::RESPONSE);
        let [question] = packet.questions.as_slice() else {
            return None;
        };
        plain.then(|| Question {
            name: question.qname.to_string().to_ascii_lowercase(),
            kind: question.qtype,
            message: message.to_vec(),
        })
    }

    /// The message that answers it; `None` when none can be made.
    pub(super) async fn answer(self, over: Over) -> Option<Vec<u8>> {
        let found = match self.kind {
            QTYPE::TYPE(TYPE::A | TYPE::AAAA) => {
                let name = self.name.clone();
                match tokio::task::spawn_blocking(move || look_up(&name)).await {
                    Ok(found) => found,
                    Err(error) => {
                        tracing::error!(%error, "this machine's resolver could not be asked");
                        Err(RCODE::ServerFailure)
                    }
                }
            }
            _ => match forward(&self.message, over).await {
                Ok(answer) => return Some(answer),
                Err(error) => {
                    tracing::debug!(%error, "this machine's name servers gave no answer");
                    Err(RCODE::ServerFailure)
                }
            },
        };
        let reply = self.reply(found, over);
        reply
            .inspect_err(|error| tracing::debug!(%error, "no answer can be written"))
            .ok()
    }

    pub(super) fn reply(
        &self,
        found: Result<Vec<IpAddr>, RCODE>,
        over: Over,
    ) -> simple_dns::Result<Vec<u8>> {
        let asked = Packet::parse(&self.message)?;
        let mut reply = Packet::new_reply(asked.id());
        reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
        if asked.has_flags(PacketFlag::RECURSION_DESIRED) {
            reply.set_flags(PacketFlag::RECURSION_DESIRED);
        }
        let mut room = PLAIN;
        if let Some(opt) = asked.opt() {
            room = opt.udp_packet_size.clamp(PLAIN, LARGEST);
            *reply.opt_mut() = Some(OPT {
                opt_codes: Vec::new(),
                udp_packet_size: LARGEST,
                version: 0,
            });
        }
        reply.questions = asked.questions.clone();
        let addresses = found.unwrap_or_else(|code| {
            *reply.rcode_mut() = code;
            Vec::new()
        });
        let name = asked.questions.first().map(|one| one.qname.clone());
        for (address, name) in addresses.iter().zip(std::iter::repeat(name).flatten()) {
            let data = match (address, self.kind) {
                (IpAddr::V4(four), QTYPE::TYPE(TYPE::A)) => RData::A((*four).into()),
                (IpAddr::V6(six), QTYPE::TYPE(TYPE::AAAA)) => RData::AAAA((*six).into()),
                _ => continue,
            };
            let record = ResourceRecord::new(name, CLASS::IN, TTL, data);
            reply.answers.push(record);
        }
        let whole = reply.build_bytes_vec_compressed()?;
        if over == Over::Tcp || whole.len() <= usize::from(room) {
            return Ok(whole);
        }
        // The program asks again over TCP.
        reply.answers.clear();
        reply.set_flags(PacketFlag::TRUNCATION);
        reply.build_bytes_vec_compressed()
    }
}

/// All addresses of a name, as a program on this machine gets them.
fn look_up(name: &str) -> Result<Vec<IpAddr>, RCODE> {
    let hints = AddrInfoHints {
        socktype: SockType::Stream.into(),
        ..AddrInfoHints::default()
    };
    match getaddrinfo(Some(name), None, Some(hints)) {
        Ok(found) => Ok(found
            .filter_map(Result::ok)
            .map(|found| found.sockaddr.ip())
            .collect()),
        Err(error) => match error.kind() {
            LookupErrorKind::NoName => Err(RCODE::NameError),
            LookupErrorKind::NoData => Ok(Vec::new()),
            kind => {
                tracing::debug!(name, ?kind, "this machine's resolver failed");
                Err(RCODE::ServerFailure)
            }
        },
    }
}

/// The answer of the first of this machine's name servers that gives one.
async fn forward(message: &[u8], over: Over) -> io::Result<Vec<u8>> {
    let text = tokio::fs::read_to_string("/etc/resolv.conf").await?;
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.by_ref().nth(1)?;
        line.starts_with("nameserver")
            .then(|| address.parse::<IpAddr>().ok())?
    });
    let mut last = io::Error::other("/etc/resolv.conf names no name server");
    for server in servers {
        match timeout(WITHIN, ask((server, NAME_SERVICE).into(), message, over)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

async fn ask(server: SocketAddr, message: &[u8], over: Over) -> io::Result<Vec<u8>> {
    if over == Over::Tcp {
        let mut stream = TcpStream::connect(server).await?;
        super::tcp::write_message(&mut stream, message).await?;
        let answer = super::tcp::read_message(&mut stream).await?;
        return answer.ok_or_else(|| io::ErrorKind::UnexpectedEof.into());
    }
    let any: IpAddr = match server {
        SocketAddr::V4(_) => [0; 4].into(),
        SocketAddr::V6(_) => [0; 16].into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Connected: answers from anybody else are dropped by the kernel.
    socket.connect(server).await?;
    socket.send(message).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let size = socket.recv(&mut buffer).await?;
        if size >= 2 && buffer[..2] == message[..2] {
            return Ok(buffer[..size].to_vec());
        }
    }
}
