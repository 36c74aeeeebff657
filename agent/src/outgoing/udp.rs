//! UDP sockets: datagrams as frames, connected or not.

mod look_ahead;

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Mutex as QuickMutex, PoisonError};
use std::time::Duration;

use mirrord_link::{Stream, read_frame, write_frame};
use mirrord_protocol::control::RemoteError;
use mirrord_protocol::streams::{Datagram, StreamReply};
use rustix::net::RecvFlags;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWriteExt, Interest, ReadHalf, WriteHalf};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{refuse, remote_error};
use crate::readiness::register_udp;
use look_ahead::LookAhead;

/// A socket that nobody used for this long is given back; the session opens another when the
/// program speaks again. Longer than most protocols' own keep-alive.
const IDLE: Duration = Duration::from_secs(120);
/// No datagram is longer (udp(7)).
const LONGEST: usize = 65_535;

/// A refusal alone (ICMP) does not make a socket readable to tokio.
const INPUT: Interest = Interest::READABLE.add(Interest::ERROR);

thread_local! {
    // One for all sockets of this thread: a datagram is copied out before anything waits.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; LONGEST]);
}

pub(super) async fn serve(
    peer: Option<SocketAddr>,
    ipv6: bool,
    mut stream: Stream,
) -> io::Result<()> {
    let socket = match open(peer, ipv6) {
        Ok(socket) => socket,
        Err(error) => {
            let tried = match peer {
                Some(peer) => format!("connect a UDP socket to {peer}"),
                None => "open a UDP socket".to_owned(),
            };
            return refuse(stream, remote_error(&error, tried)).await;
        }
    };
    let reply = StreamReply::Connected {
        local: socket.get_ref().local_addr().ok(),
        peer,
    };
    write_frame(&mut stream, &reply).await?;
    let (reader, writer) = tokio::io::split(stream);
    let association = Association {
        socket,
        peer,
        writer: Mutex::new(writer),
        used: QuickMutex::new(Instant::now()),
        ahead: QuickMutex::default(),
    };
    let result = tokio::select! {
        result = association.send_all(reader) => result,
        result = association.receive_all() => result,
        () = association.idle() => Ok(()),
    };
    // A clean end: what was written before it still arrives.
    let _ = association.writer.lock().await.shutdown().await;
    result
}

fn open(peer: Option<SocketAddr>, ipv6: bool) -> io::Result<AsyncFd<UdpSocket>> {
    let any: SocketAddr = if peer.map_or(ipv6, |peer| peer.is_ipv6()) {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    rustix::net::sockopt::set_socket_broadcast(&socket, true)?;
    if let Some(peer) = peer {
        socket.connect(peer)?;
    }
    // Not for writing: each datagram that left would wake us.
    register_udp(socket, INPUT)
}

struct Association {
    socket: AsyncFd<UdpSocket>,
    peer: Option<SocketAddr>,
    writer: Mutex<WriteHalf<Stream>>,
    used: QuickMutex<Instant>,
    ahead: QuickMutex<LookAhead>,
}

impl Association {
    fn used(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ahead(&self) -> std::sync::MutexGuard<'_, LookAhead> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send_all(&self, mut reader: ReadHalf<Stream>) -> io::Result<()> {
        loop {
            let (peer, payload) = match read_frame(&mut reader).await {
                Ok(Datagram::Data { peer, payload }) => (peer, payload),
                Ok(Datagram::Ask { question, next }) => {
                    let peer = self.peer.ok_or(io::ErrorKind::InvalidData)?;
                    self.ahead()
                        .begin(&question, next, Instant::now().into_std());
                    (peer, question)
                }
                Ok(Datagram::Error(_)) => continue,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            };
            *self.used() = Instant::now();
            let mut sent = self.send(peer, &payload).await;
            if sent.is_err() {
                // The error may be an earlier datagram's (udp(7): it is reported at the next
                // call, which then does nothing); it is passed on and this one sent again.
                self.tell_error(peer, &sent).await?;
                sent = self.send(peer, &payload).await;
            }
            if let Err(error) = sent {
                tracing::debug!(%error, %peer, "a datagram was not sent");
            }
        }
    }

    async fn send(&self, peer: SocketAddr, payload: &[u8]) -> io::Result<usize> {
        loop {
            let socket = self.socket.get_ref();
            let sent = match self.peer {
                Some(_) => socket.send(payload),
                None => socket.send_to(payload, peer),
            };
            match sent {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // Rare, so waiting for room is not prepared for.
                    let socket = register_udp(socket.try_clone()?, Interest::WRITABLE)?;
                    socket.writable().await?.retain_ready();
                }
                sent => return sent,
            }
        }
    }

    async fn receive_all(&self) -> io::Result<()> {
        loop {
            let receive = |socket: &UdpSocket| {
                SCRATCH.with_borrow_mut(|scratch| {
                    let flags = RecvFlags::DONTWAIT;
                    let (size, _, from) = rustix::net::recvfrom(socket, &mut scratch[..], flags)?;
                    let from = from.ok_or(io::ErrorKind::InvalidData)?;
                    Ok((scratch[..size].to_vec(), SocketAddr::try_from(from)?))
                })
            };
            let received = self.socket.async_io(INPUT, receive).await;
            let datagram = match received {
                Ok((payload, from)) => {
                    self.ask_next(from, &payload).await;
                    Datagram::Data {
                        peer: from,
                        payload,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => {
                    let peer = self.peer.unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)));
                    Datagram::Error(remote_error(&error, format!("reach {peer}")))
                }
            };
            *self.used() = Instant::now();
            self.write(&datagram).await?;
        }
    }

    /// Asks what the program will ask after this answer.
    async fn ask_next(&self, peer: SocketAddr, answer: &[u8]) {
        let next = self.ahead().after(answer, Instant::now().into_std());
        let Some(question) = next else { return };
        // The session asks again when nothing comes.
        if let Err(error) = self.send(peer, &question).await {
            tracing::debug!(%error, %peer, "a question was not asked ahead");
        }
    }

    async fn tell_error(&self, peer: SocketAddr, sent: &io::Result<usize>) -> io::Result<()> {
        let Err(error) = sent else { return Ok(()) };
        self.write(&Datagram::Error(remote_error(
            error,
            format!("send to {peer}"),
        )))
        .await
    }

    async fn write(&self, datagram: &Datagram) -> io::Result<()> {
        let mut writer = self.writer.lock().await;
        match write_frame(&mut *writer, datagram).await {
            // Only an IPv6 jumbo of the last few bytes does not fit; it is not cut.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                let error = RemoteError {
                    errno: libc::EMSGSIZE,
                    message: error.to_string(),
                };
                write_frame(&mut *writer, &Datagram::Error(error)).await
            }
            result => result,
        }
    }

    async fn idle(&self) {
        loop {
            let until = *self.used() + IDLE;
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}
