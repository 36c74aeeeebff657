//! Streams: integrity, flow control, and the difference between an end and a reset.

mod common;

use std::{io::ErrorKind, time::Duration};

use common::{pattern, streams};
use mirrord_link::{LinkError, Stream, Streams, read_frame, write_frame};
use mirrord_protocol::streams::{StreamHeader, StreamReply};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::timeout,
};

fn header(port: u16) -> StreamHeader {
    StreamHeader::ConnectTcp {
        to: ([127, 0, 0, 1], port).into(),
    }
}

async fn open(from: &Streams) -> Stream {
    from.open(&header(1)).await.unwrap()
}

#[tokio::test]
async fn a_reply_follows_the_header_and_bytes_follow_the_reply() {
    let ((_agent, mut incoming), (session, _keep)) = streams().await;
    let serving = async {
        let (got, mut stream) = incoming.next().await.unwrap();
        assert_eq!(got, header(7));
        let reply = StreamReply::Connected {
            local: None,
            peer: None,
        };
        write_frame(&mut stream, &reply).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream
    };
    let seven = header(7);
    let (_stream, opened) = tokio::join!(serving, session.open_with_reply(&seven));
    let (reply, mut stream) = opened.unwrap();
    assert_eq!(
        reply,
        StreamReply::Connected {
            local: None,
            peer: None
        }
    );
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"hello");
}

#[tokio::test]
async fn a_big_upload_survives_a_slow_reader_and_half_close_leaves_the_way_back_open() {
    let ((_agent, mut incoming), (session, _keep)) = streams().await;
    let data = pattern(24 << 20);
    let mut up = open(&session).await;
    let (_, mut down) = incoming.next().await.unwrap();
    let writing = async {
        up.write_all(&data).await.unwrap();
        up.shutdown().await.unwrap();
        let mut answer = Vec::new();
        up.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"got it");
    };
    let reading = async {
        let mut read = 0;
        let mut buffer = vec![0; 100_000];
        loop {
            let size = down.read(&mut buffer).await.unwrap();
            if size == 0 {
                break;
            }
            assert!(
                buffer[..size] == data[read..read + size],
                "differs near {read}"
            );
            read += size;
            if read % 7 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert_eq!(read, data.len());
        down.write_all(b"got it").await.unwrap();
        down.shutdown().await.unwrap();
    };
    tokio::join!(writing, reading);
}

#[tokio::test]
async fn a_reader_that_stands_still_holds_up_only_its_own_stream() {
    let ((_agent, mut incoming), (session, _keep)) = streams().await;
    let mut stuck = open(&session).await;
    let (_, _unread) = incoming.next().await.unwrap();
    let block = vec![7; 1 << 20];
    let stuck_writes = async {
        loop {
            stuck.write_all(&block).await.unwrap();
        }
    };
    let other = async {
        let mut stream = open(&session).await;
        let (_, mut peer) = incoming.next().await.unwrap();
        for _ in 0..100 {
            stream.write_all(&[1; 64]).await.unwrap();
            let mut bytes = [0; 64];
            peer.read_exact(&mut bytes).await.unwrap();
        }
    };
    tokio::select! {
        () = stuck_writes => unreachable!(),
        result = timeout(Duration::from_secs(20), other) => result.unwrap(),
    }
}

#[tokio::test]
async fn six_hundred_streams_both_ways_at_once() {
    let ((agent, mut agent_incoming), (session, mut session_incoming)) = streams().await;
    let mut tasks = JoinSet::new();
    for number in 0..600u16 {
        let from = if number % 2 == 0 {
            session.clone()
        } else {
            agent.clone()
        };
        tasks.spawn(async move {
            let mut stream = from.open(&header(number)).await.unwrap();
            let mut reply = [0; 3000];
            stream.write_all(&[number as u8; 3000]).await.unwrap();
            stream.shutdown().await.unwrap();
            stream.read_exact(&mut reply).await.unwrap();
            assert!(reply == [number as u8; 3000]);
            assert_eq!(stream.read(&mut reply).await.unwrap(), 0);
        });
    }
    let serving = async {
        let mut echoes = JoinSet::new();
        loop {
            let (_, mut stream) = tokio::select! {
                accepted = agent_incoming.next() => accepted.unwrap(),
                accepted = session_incoming.next() => accepted.unwrap(),
            };
            echoes.spawn(async move {
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.unwrap();
                stream.write_all(&all).await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    };
    let finished = async {
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    };
    tokio::select! {
        () = serving => {}
        result = timeout(Duration::from_secs(60), finished) => result.unwrap(),
    }
}

#[tokio::test]
async fn a_thousand_streams_that_nobody_answers_can_be_open() {
    let ((_agent, mut incoming), (session, _keep)) = streams().await;
    let accepting = async {
        let mut held = Vec::new();
        for _ in 0..1000 {
            held.push(incoming.next().await.unwrap());
        }
    };
    let opening = async {
        let mut held = Vec::new();
        for _ in 0..1000 {
            held.push(open(&session).await);
        }
        held
    };
    timeout(Duration::from_secs(20), async {
        tokio::join!(accepting, opening)
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn beyond_the_limit_opening_fails_and_the_link_lives() {
    let ((_agent, mut incoming), (session, _keep)) = streams().await;
    let accepting = async {
        let mut held = Vec::new();
        while let Some(accepted) = incoming.next().await {
            held.push(accepted);
        }
    };
    let opening = async {
        let mut held = Vec::new();
        loop {
            match session.open(&header(1)).await {
                Ok(stream) => held.push(stream),
                Err(error) => break (held, error),
            }
        }
    };
    let (held, error) = tokio::select! {
        () = accepting => unreachable!(),
        opened = opening => opened,
    };
    assert_eq!((held.len(), error.raw_os_error()), (4096, Some(24)));
    drop(held);
    open(&session).await;
}

/// Reads to the end and expects a reset.
async fn expect_reset(stream: &mut Stream) {
    let mut rest = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut rest))
        .await
        .unwrap();
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn dropping_a_stream_is_a_reset_and_not_an_end() {
    let ((_agent, mut incoming), (session, _keep)) = streams().await;
    let stream = open(&session).await;
    let (_, mut peer) = incoming.next().await.unwrap();
    drop(stream);
    expect_reset(&mut peer).await;
}

#[tokio::test]
async fn dropping_after_the_others_end_is_a_reset_too() {
    let ((_agent, mut incoming), (session, _keep)) = streams().await;
    let mut stream = open(&session).await;
    let (_, mut peer) = incoming.next().await.unwrap();
    peer.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    drop(stream);
    expect_reset(&mut peer).await;
}

#[tokio::test]
async fn dropping_after_ones_own_end_stops_the_other_side() {
    let ((_agent, mut incoming), (session, _keep)) = streams().await;
    let mut stream = open(&session).await;
    stream.write_all(b"last words").await.unwrap();
    stream.shutdown().await.unwrap();
    drop(stream);
    let (_, mut peer) = incoming.next().await.unwrap();
    let mut words = String::new();
    peer.read_to_string(&mut words).await.unwrap();
    assert_eq!(words, "last words");
    let endless = async {
        loop {
            if let Err(error) = peer.write_all(&[0; 4096]).await {
                break error;
            }
        }
    };
    let error = timeout(Duration::from_secs(5), endless).await.unwrap();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn streams_that_came_and_went_leave_nothing_behind() {
    let ((_agent, mut incoming), (session, _keep)) = streams().await;
    // More than may be open at once, ended in each of the ways there are.
    for round in 0..6000 {
        let mut stream = open(&session).await;
        let (_, mut peer) = incoming.next().await.unwrap();
        match round % 4 {
            0 => {
                stream.shutdown().await.unwrap();
                peer.shutdown().await.unwrap();
            }
            1 => stream.shutdown().await.unwrap(),
            2 => drop(peer),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_broken_link_is_a_reset_on_every_stream_and_names_its_end() {
    let ((agent, incoming), (session, mut session_incoming)) = streams().await;
    let mut stream = open(&session).await;
    drop((agent, incoming));
    expect_reset(&mut stream).await;
    assert!(session_incoming.next().await.is_none());
    assert!(session_incoming.end().is_some());
    assert!(session.open(&header(1)).await.is_err());
}

#[tokio::test]
async fn a_close_carries_its_reason_to_the_other_side() {
    let ((agent, mut incoming), (session, mut session_incoming)) = streams().await;
    agent.close("the target's process ended");
    assert!(session_incoming.next().await.is_none());
    match session_incoming.end() {
        Some(LinkError::Closed { reason }) => assert_eq!(reason, "the target's process ended"),
        other => panic!("{other:?}"),
    }
    timeout(Duration::from_secs(5), session.ended())
        .await
        .unwrap();
    assert!(
        timeout(Duration::from_secs(5), incoming.next())
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_header_that_never_comes_holds_up_nobody() {
    let ((_agent, mut incoming), (session, _keep)) = streams().await;
    let mut half = open(&session).await;
    let (_, mut peer) = incoming.next().await.unwrap();
    // A second message in the same stream that is cut: only its own reader waits.
    half.write_all(&[200, 0, 1]).await.unwrap();
    let cut = timeout(
        Duration::from_millis(50),
        read_frame::<_, StreamReply>(&mut peer),
    )
    .await;
    assert!(cut.is_err());
    open(&session).await;
    timeout(Duration::from_secs(5), incoming.next())
        .await
        .unwrap()
        .unwrap();
}
