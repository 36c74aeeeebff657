//! A pod made of a folder, with the agent's real file service behind a real link, and a file
//! server with a real mount before it.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    ffi::OsStr,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::mpsc,
    time::{Duration, Instant},
};

use mirrord_agent::files::{self, Files};
use mirrord_files::{FilesClient, ServeOptions, Walked, Want};
use mirrord_link::{AgentIdentity, Endpoint, SessionIdentity};
use mirrord_protocol::creds::Creds;
use rustix::{
    fs::{Mode, OFlags, ResolveFlags, openat2},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A running pod with its file server.
pub struct Pod {
    pub folder: tempfile::TempDir,
    pub client: FilesClient,
}

/// What a pod is made of.
pub struct Setup {
    pub creds: Creds,
    pub capabilities: u64,
    pub writable: bool,
    pub callers_ids: bool,
    /// One way.
    pub delay: Duration,
    pub deadline: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            creds: Creds {
                uid: 0,
                gid: 0,
                groups: Vec::new(),
            },
            capabilities: u64::MAX,
            writable: true,
            callers_ids: false,
            delay: Duration::ZERO,
            deadline: Duration::from_secs(10),
        }
    }
}

impl Pod {
    pub fn start() -> Pod {
        Pod::with(Setup::default())
    }

    /// A pod whose file server runs on a thread of the test.
    pub fn with(setup: Setup) -> Pod {
        let folder = folder();
        let (endpoint, identity) = agent(folder.path(), &setup);
        let (ours, theirs) = control();
        let options = ServeOptions {
            endpoint,
            identity,
            writable: setup.writable,
            callers_ids: setup.callers_ids,
            deadline: setup.deadline,
        };
        std::thread::spawn(move || {
            if let Err(error) = mirrord_files::serve(options, theirs) {
                eprintln!("the file server ended: {error}");
            }
        });
        let client = FilesClient::from_fd(ours).unwrap();
        Pod { folder, client }
    }

    /// A path on this machine of a file in the pod.
    pub fn here(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// Writes a file into the pod, behind our back.
    pub fn put(&self, path: &str, content: impl AsRef<[u8]>) {
        let here = self.here(path);
        std::fs::create_dir_all(here.parent().unwrap()).unwrap();
        std::fs::write(here, content).unwrap();
    }

    pub fn walk(&self, path: &str, want: Want) -> Walked {
        self.client
            .walk(path.as_bytes(), true, want, None, None)
            .unwrap()
    }

    /// Opens a path of the pod as the supervisor does.
    pub fn open_flags(&self, path: &str, flags: OFlags) -> io::Result<File> {
        let root = self.client.root().expect("there is a mount");
        let mode = if flags.contains(OFlags::CREATE) {
            0o644
        } else {
            0
        };
        let mode = Mode::from_raw_mode(mode);
        let fd = openat2(
            root,
            path,
            flags | OFlags::CLOEXEC,
            mode,
            ResolveFlags::IN_ROOT,
        )?;
        Ok(File::from(fd))
    }

    pub fn open(&self, path: &str) -> io::Result<File> {
        self.open_flags(path, OFlags::RDONLY)
    }

    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        io::Read::read_to_end(&mut self.open(path)?, &mut content)?;
        Ok(content)
    }

    pub fn metadata(&self, path: &str) -> io::Result<std::fs::Metadata> {
        self.open_flags(path, OFlags::PATH)?.metadata()
    }

    /// A path of ours that leads into the mount, for calls of std that take paths.
    pub fn through(&self, directory: &File, name: &str) -> PathBuf {
        use std::os::fd::AsRawFd;
        Path::new(&format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name)
    }

    /// The mount's root as a path.
    pub fn root(&self) -> PathBuf {
        use std::os::fd::AsRawFd;
        let root = self.client.root().expect("there is a mount");
        PathBuf::from(format!("/proc/self/fd/{}", root.as_raw_fd()))
    }

    pub fn names(&self, path: &str) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.root().join(path.trim_start_matches('/')))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// A folder that every user may enter, in memory where that is possible: making ten thousand
/// files on a disk takes longer than all tests together.
pub fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    folder
}

pub fn control() -> (OwnedFd, OwnedFd) {
    socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
    .unwrap()
}

/// An agent's file service for a folder, on a thread of its own.
pub fn agent(root: &Path, setup: &Setup) -> (Endpoint, SessionIdentity) {
    let key = SessionIdentity::new_key().unwrap();
    let identity = AgentIdentity::new(&SessionIdentity::public_hex(&key), "test").unwrap();
    let fingerprint = identity.fingerprint();
    let root = rustix::fs::open(root, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let files = Files::new(root, setup.creds.clone(), setup.capabilities).unwrap();
    let delay = setup.delay;
    let (address_tx, address_rx) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut address = listener.local_addr().unwrap();
            if !delay.is_zero() {
                address = slow_path(address, delay).await;
            }
            address_tx.send(address).unwrap();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (identity, files) = (identity.clone(), files.clone());
                tokio::spawn(async move {
                    let (_, socket) = mirrord_link::accept(socket, &identity).await.unwrap();
                    let (sender, receiver) = socket.into_messages();
                    // The tests end by dropping the link.
                    let _ = files::serve(sender, receiver, files).await;
                });
            }
        });
    });
    let endpoint = Endpoint::Tcp(address_rx.recv().unwrap());
    (
        endpoint,
        SessionIdentity {
            session: "test".to_owned(),
            key,
            agent: fingerprint,
        },
    )
}

/// A relay that holds every byte back for a while, in both directions.
async fn slow_path(to: std::net::SocketAddr, delay: Duration) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(to).await.unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            tokio::spawn(delayed(near_read, far_write, delay));
            tokio::spawn(delayed(far_read, near_write, delay));
        }
    });
    address
}

async fn delayed(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    mut to: impl AsyncWrite + Unpin,
    delay: Duration,
) {
    let (bytes_tx, mut bytes_rx) = tokio::sync::mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        let mut buffer = vec![0; 256 * 1024];
        while let Ok(len @ 1..) = from.read(&mut buffer).await {
            if bytes_tx
                .send((Instant::now() + delay, buffer[..len].to_vec()))
                .is_err()
            {
                return;
            }
        }
    });
    while let Some((when, bytes)) = bytes_rx.recv().await {
        tokio::time::sleep_until(when.into()).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// Waits until something is so, at most for a second.
pub fn within_a_second(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    loop {
        // What counts is when the question is asked: a busy machine may keep us from asking.
        let late = began.elapsed() >= Duration::from_secs(1);
        if is_so() {
            return;
        }
        assert!(!late, "not within a second: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub fn os(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

/// Bytes that differ everywhere.
pub fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
