//! The relay between a socket and a stream, with real TCP sockets on both far ends.

mod common;

use std::{io::ErrorKind, time::Duration};

use common::{pattern, streams};
use mirrord_link::{Streams, relay};
use mirrord_protocol::streams::StreamHeader;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// A connection from `near` to `far` through relays and a link, as a program and a server see it.
struct Chain {
    near: TcpStream,
    far: TcpStream,
    session: Streams,
}

async fn chain() -> Chain {
    let ((agent, mut incoming), (session, session_incoming)) = streams().await;
    let far_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let far_address = far_listener.local_addr().unwrap();
    tokio::spawn(async move {
        let _keep = agent;
        while let Some((_, stream)) = incoming.next().await {
            let tcp = TcpStream::connect(far_address).await.unwrap();
            tokio::spawn(relay(tcp, stream));
        }
    });
    let near_listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(near_listener.local_addr().unwrap())
        .await
        .unwrap();
    let (accepted, _) = near_listener.accept().await.unwrap();
    let stream = session
        .open(&StreamHeader::ConnectTcp { to: far_address })
        .await
        .unwrap();
    let keep = (session.clone(), session_incoming);
    tokio::spawn(async move {
        let _keep = keep;
        relay(accepted, stream).await
    });
    let (far, _) = far_listener.accept().await.unwrap();
    Chain { near, far, session }
}

#[tokio::test]
async fn a_big_transfer_is_whole_with_a_slow_reader_and_ends_cleanly() {
    let Chain {
        mut near,
        mut far,
        session: _session,
    } = chain().await;
    let data = pattern(32 << 20);
    let sending = async {
        far.write_all(&data).await.unwrap();
        far.shutdown().await.unwrap();
        let mut thanks = Vec::new();
        far.read_to_end(&mut thanks).await.unwrap();
        assert_eq!(thanks, b"thanks");
    };
    let receiving = async {
        let mut received = Vec::new();
        let mut buffer = vec![0; 50_000];
        loop {
            let size = near.read(&mut buffer).await.unwrap();
            if size == 0 {
                break;
            }
            received.extend_from_slice(&buffer[..size]);
            if received.len() % 5 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert!(received == data);
        near.write_all(b"thanks").await.unwrap();
        near.shutdown().await.unwrap();
    };
    let both = async { tokio::join!(sending, receiving) };
    timeout(Duration::from_secs(60), both).await.unwrap();
}

#[tokio::test]
async fn a_reset_arrives_as_a_reset() {
    let Chain {
        mut near,
        far,
        session: _session,
    } = chain().await;
    far.set_zero_linger().unwrap();
    drop(far);
    let read = timeout(Duration::from_secs(5), near.read(&mut [0]))
        .await
        .unwrap();
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_reset_after_the_half_close_arrives_too() {
    let Chain {
        mut near,
        mut far,
        session: _session,
    } = chain().await;
    near.shutdown().await.unwrap();
    assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    far.write_all(b"x").await.unwrap();
    near.read_exact(&mut [0]).await.unwrap();
    far.set_zero_linger().unwrap();
    drop(far);
    let read = timeout(Duration::from_secs(5), near.read(&mut [0]))
        .await
        .unwrap();
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_program_that_stops_reading_early_frees_the_server() {
    let Chain {
        near,
        mut far,
        session: _session,
    } = chain().await;
    drop(near);
    let endless = async {
        loop {
            if let Err(error) = far.write_all(&[0; 65_536]).await {
                break error;
            }
        }
    };
    let error = timeout(Duration::from_secs(10), endless).await.unwrap();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_link_that_breaks_is_a_reset_for_both_ends() {
    let Chain {
        mut near,
        mut far,
        session,
    } = chain().await;
    session.close("test");
    for end in [&mut near, &mut far] {
        let read = timeout(Duration::from_secs(5), end.read(&mut [0]))
            .await
            .unwrap();
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}
