//! Links that carry whole messages: content, close reasons, silence.

mod common;

use std::time::Duration;

use bytes::Bytes;
use common::{Pair, pattern};
use mirrord_link::LinkError;
use mirrord_protocol::hello::Purpose;

#[tokio::test]
async fn messages_arrive_whole_and_in_order() {
    let (agent, session) = Pair::new().await.link(Purpose::Files).await;
    let (mut sender, _keep) = session.into_messages();
    let (_keep_too, mut receiver) = agent.into_messages();
    let messages: Vec<Bytes> = [0, 1, 125, 126, 65_535, 65_536, 1 << 20]
        .map(|size| pattern(size).into())
        .into();
    let sending = async {
        for message in &messages {
            sender.feed(message.clone()).await.unwrap();
        }
        sender.flush().await.unwrap();
    };
    let receiving = async {
        for message in &messages {
            assert!(receiver.next().await.unwrap().unwrap() == *message);
        }
    };
    tokio::join!(sending, receiving);
}

#[tokio::test]
async fn a_close_carries_its_reason() {
    let (agent, session) = Pair::new().await.link(Purpose::Control).await;
    let (mut sender, _keep) = agent.into_messages();
    let (_keep_too, mut receiver) = session.into_messages();
    let long = format!("the target's process ended {}", "ä".repeat(100));
    sender.close(&long).await.unwrap();
    assert!(receiver.next().await.is_none());
    let reason = receiver.close_reason().unwrap();
    assert!(
        reason.starts_with("the target's process ended ä") && reason.len() > 100,
        "{reason}"
    );
    assert!(receiver.next().await.is_none());
}

#[tokio::test]
async fn a_peer_that_vanishes_is_an_error_and_no_close() {
    let (agent, session) = Pair::new().await.link(Purpose::Control).await;
    drop(agent);
    let (_keep, mut receiver) = session.into_messages();
    assert!(matches!(
        receiver.next().await,
        Some(Err(LinkError::Broken(_)))
    ));
}

#[tokio::test]
async fn a_peer_that_hangs_is_noticed_and_one_that_answers_pings_is_not() {
    let (agent, session) = Pair::new().await.link(Purpose::Control).await;
    let (mut sender, mut receiver) = session.into_messages();
    let (_keep, mut peer) = agent.into_messages();
    receiver.set_deadline(Duration::from_millis(300));
    let answering = async {
        for _ in 0..10 {
            sender.ping().await.unwrap();
            let quiet = tokio::time::timeout(Duration::from_millis(100), receiver.next()).await;
            assert!(
                quiet.is_err(),
                "ended although its pings were answered: {quiet:?}"
            );
        }
    };
    // The peer only answers while it reads.
    tokio::select! {
        () = answering => {}
        ended = peer.next() => panic!("{ended:?}"),
    }
    sender.ping().await.unwrap();
    assert!(matches!(
        receiver.next().await,
        Some(Err(LinkError::Dead { .. }))
    ));
}
