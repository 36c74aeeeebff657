//! The pod: a network namespace with servers and the agent's outgoing side, on one thread.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mirrord_agent::{outgoing, target::Doors, target::Target};
use mirrord_link::{AgentIdentity, Side, accept};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket, UnixListener};

/// Ends when dropped.
pub struct Pod {
    holder: Child,
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

impl Pod {
    /// Starts the pod; its agent listens at `socket` when this returns.
    pub fn start(socket: &Path, identity: AgentIdentity) -> Pod {
        // Without our output, which a test that failed would otherwise keep open.
        let mut holder = Command::new("unshare");
        holder
            .args(["-n", "sleep", "300"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let pod = Pod {
            holder: holder.spawn().unwrap(),
        };
        let pid = pod.holder.id();
        let deadline = Instant::now() + Duration::from_secs(10);
        let comm = || std::fs::read_to_string(format!("/proc/{pid}/comm"));
        while comm().is_ok_and(|comm| comm.trim() != "sleep") {
            assert!(Instant::now() < deadline, "unshare does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        let socket = socket.to_owned();
        let (ready_tx, ready_rx) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let namespace = std::fs::File::open(format!("/proc/{pid}/ns/net")).unwrap();
            move_into_link_name_space(
                std::os::fd::AsFd::as_fd(&namespace),
                Some(LinkNameSpaceType::Network),
            )
            .unwrap();
            set_up();
            let target = Doors::open(std::process::id() as i32)
                .unwrap()
                .look_around()
                .unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime
                .unwrap()
                .block_on(serve(&socket, identity, Arc::new(target), ready_tx));
        });
        ready_rx.recv().unwrap();
        pod
    }
}

/// Addresses that answer, that are unreachable, and that never answer.
fn set_up() {
    for line in [
        "link set lo up",
        "link add d0 type veth peer name d1",
        "addr add 10.77.0.5/24 dev d0",
        "addr add 10.77.0.6/24 dev d0",
        "addr add fd77::5/64 dev d0 nodad",
        "link set d0 up",
        "link set d1 up",
        "route add unreachable 10.98.0.0/16",
        "neigh add 10.77.0.9 lladdr 02:00:00:00:00:09 dev d0",
        "route add 10.97.0.0/16 via 10.77.0.9",
    ] {
        let status = Command::new("ip")
            .args(line.split(' '))
            .status()
            .expect("iproute2");
        assert!(status.success(), "ip {line}");
    }
}

async fn serve(
    socket: &Path,
    identity: AgentIdentity,
    target: Arc<Target>,
    ready_tx: std::sync::mpsc::Sender<()>,
) {
    for address in ["10.77.0.5:9001", "[fd77::5]:9001"] {
        let listener = TcpListener::bind(address).await.unwrap();
        tokio::spawn(echo(listener));
    }
    tokio::spawn(swallow(TcpListener::bind("10.77.0.5:9003").await.unwrap()));
    for address in ["10.77.0.5:9002", "10.77.0.6:9002"] {
        tokio::spawn(answer(UdpSocket::bind(address).await.unwrap()));
    }
    let listener = UnixListener::bind(socket).unwrap();
    ready_tx.send(()).unwrap();
    let (called, _) = listener.accept().await.unwrap();
    let (_, link) = accept(called, &identity).await.unwrap();
    let (_streams, mut incoming) = link.into_streams(Side::Agent);
    while let Some((header, stream)) = incoming.next().await {
        let target = target.clone();
        tokio::spawn(async move {
            let _ = outgoing::serve(header, stream, target).await;
        });
    }
}

/// Sends everything back, and a dot at the end.
async fn echo(listener: TcpListener) {
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        tokio::spawn(async move {
            let (mut reader, mut writer) = socket.split();
            tokio::io::copy(&mut reader, &mut writer).await?;
            writer.write_all(b".").await?;
            writer.shutdown().await
        });
    }
}

/// Reads slowly, and tells at the end what it got.
async fn swallow(listener: TcpListener) {
    let (mut socket, _) = listener.accept().await.unwrap();
    let (mut size, mut sum) = (0, 0);
    let mut buffer = vec![0; 1 << 17];
    loop {
        let got = socket.read(&mut buffer).await.unwrap();
        if got == 0 {
            break;
        }
        size += got;
        sum = buffer[..got]
            .iter()
            .fold(sum, |sum, byte| digest(sum, *byte));
        if size % (1 << 22) < got {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    socket
        .write_all(format!("{size} {sum}").as_bytes())
        .await
        .unwrap();
}

/// Sends back what came, later where that is asked for, or where it came from.
async fn answer(socket: UdpSocket) {
    let mut buffer = vec![0; 65_536];
    loop {
        let (size, from) = socket.recv_from(&mut buffer).await.unwrap();
        if buffer[..size].starts_with(b"LATE") {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let answer = match &buffer[..size] {
            b"WHO" => from.to_string().into_bytes(),
            other => other.to_vec(),
        };
        socket.send_to(&answer, from).await.unwrap();
    }
}

/// A running checksum that depends on the order.
pub fn digest(sum: u64, byte: u8) -> u64 {
    sum.wrapping_mul(31).wrapping_add(u64::from(byte) + 1)
}
