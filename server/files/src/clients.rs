//! The supervisor's questions.
//!
//! Sockets come in over the control socket; each is served by a task of its own, one question
//! after the other. When a socket closes while its question is worked on, the work is dropped.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream as StdStream,
    },
    rc::Rc,
    time::Duration,
};

use mirrord_protocol::{
    codec,
    creds::Creds,
    files::{Answer, Op, ROOT, Walked, Want},
};
use rustix::net::{RecvFlags, SendFlags};
use tokio::{io::AsyncReadExt, io::AsyncWriteExt, io::Interest, net::UnixStream};

use crate::{
    fs::Fs,
    local::{self, FoundLocally, MAX_MESSAGE, Question, Told, WalkedLocally},
    snapshot,
    tree::BELIEVED,
    watched::watch,
};

/// Serves the supervisor until it closes its socket. `greeting` is said again when it is asked
/// for: a worker of the supervisor that follows one that crashed needs the mount's root too.
pub(crate) async fn serve(
    fs: Rc<Fs>,
    control: OwnedFd,
    greeting: impl Fn(&OwnedFd) -> io::Result<()>,
) -> io::Result<()> {
    let control = watch(control)?;
    let mut byte = [0];
    loop {
        let mut ready = control.readable().await?;
        let received = ready.try_io(|fd| {
            local::receive_with_fd(fd.get_ref().as_fd(), &mut byte, RecvFlags::empty())
        });
        let Ok(received) = received else { continue };
        match received {
            Ok((0, _)) => return Ok(()),
            Ok((_, Some(socket))) => {
                let socket = StdStream::from(socket);
                socket.set_nonblocking(true)?;
                let (fs, socket) = (fs.clone(), UnixStream::from_std(socket)?);
                tokio::task::spawn_local(async move {
                    if let Err(error) = converse(&fs, socket).await {
                        tracing::debug!(%error, "a conversation with the supervisor ended");
                    }
                });
            }
            Ok((_, None)) => greeting(control.get_ref())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The supervisor died with packets unread on its side.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

async fn converse(fs: &Rc<Fs>, mut socket: UnixStream) -> io::Result<()> {
    let mut message = Vec::new();
    loop {
        let len = match socket.read_u32_le().await {
            Ok(len) => len as usize,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        if len > MAX_MESSAGE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        message.resize(len, 0);
        socket.read_exact(&mut message).await?;
        let question = codec::decode(&message).map_err(io::Error::other)?;
        // Nothing more is sent before the answer, so readable means closed.
        let (told, fd) = tokio::select! {
            biased;
            told = answer(fs, question) => told,
            () = hang_up(&socket) => return Ok(()),
        };
        send(&mut socket, &told, fd).await?;
    }
}

/// Returns when the other end is closed, or says something out of turn.
async fn hang_up(socket: &UnixStream) {
    while socket.readable().await.is_ok() {
        let mut byte = [0];
        let peeked = socket.try_io(Interest::READABLE, || {
            let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
            Ok(rustix::net::recv(socket, &mut byte[..], flags)?)
        });
        // The event loop remembers earlier readiness until a call says otherwise.
        if !matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            return;
        }
    }
}

async fn answer(fs: &Rc<Fs>, question: Question) -> (Told, Option<OwnedFd>) {
    match question {
        Question::Walk {
            path,
            follow_last,
            want,
            creds,
        } => {
            let walked = walk(fs, path, follow_last, want, creds).await;
            (Told::Walked(walked.map(|walked| locally(&walked))), None)
        }
        Question::Snapshot { path, creds } => match snapshot::take(fs, path, creds).await {
            Ok(file) => (Told::Snapshot(Ok(())), Some(file)),
            Err(errno) => (Told::Snapshot(Err(errno)), None),
        },
    }
}

async fn send(socket: &mut UnixStream, told: &Told, fd: Option<OwnedFd>) -> io::Result<()> {
    let framed = local::frame(told)?;
    let Some(fd) = fd else {
        return socket.write_all(&framed).await;
    };
    loop {
        socket.writable().await?;
        let sent = socket.try_io(Interest::WRITABLE, || {
            local::send_with_fd(socket.as_fd(), &framed, Some(&fd), SendFlags::DONTWAIT)
        });
        match sent {
            Ok(len) => return socket.write_all(&framed[len..]).await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// One round trip: afterwards everything that the walk saw is known here.
pub(crate) async fn walk(
    fs: &Rc<Fs>,
    path: Vec<u8>,
    follow_last: bool,
    want: Want,
    creds: Option<Creds>,
) -> Result<Walked, i32> {
    if path.contains(&0) {
        return Err(libc::EINVAL);
    }
    let began = fs.tree.borrow().began();
    let op = Op::Walk {
        path,
        follow_last,
        want,
    };
    let (answer, data) = fs.agent.walk(op, creds).await?;
    let Answer::Walked(walked) = answer else {
        return Err(libc::EPROTO);
    };
    let mut tree = fs.tree.borrow_mut();
    tree.absorb_attr(ROOT, &walked.root, began);
    for step in &walked.steps {
        tree.absorb(step.parent, &step.name, step.entry.as_ref(), began);
    }
    if let Ok(end) = &walked.end {
        tree.absorb_attr(end.node, &end.attr, began);
        if let Some(listing) = &end.listing {
            tree.absorb_listing(end.node, listing, began);
        }
    }
    drop(tree);
    if let Ok(end) = &walked.end
        && end.data
    {
        fs.bring(end.node, data, &end.attr);
    }
    Ok(walked)
}

fn locally(walked: &Walked) -> WalkedLocally {
    WalkedLocally {
        found: walked
            .end
            .as_ref()
            .map_err(|errno| *errno)
            .map(|end| FoundLocally {
                path: end.path.clone(),
                attr: end.attr,
                allowed: end.allowed,
                link: end.link.clone(),
            }),
        parent: walked.parent,
        valid_micros: Duration::as_micros(&BELIEVED) as u64,
    }
}
