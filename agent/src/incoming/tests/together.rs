//! Two sessions on one port of one pod, each with an agent of its own.
//!
//! They do not know of each other yet. What must hold already: each client meets exactly one
//! answer, and a session that goes leaves the port to the other, not to nobody.

use super::in_pod;
use super::namespace::{Outside, POD_V4, POD_V6};
use super::pod::{self, PORT, visit};
use super::session::{Manner, Session};
use super::stolen::STEAL;
use crate::incoming::taker::{self, Taken};

in_pod!(by_sk_lookup, Root, async |outside| {
    in_turn(&outside, taker::sk_lookup).await;
});
in_pod!(by_nftables, Rootless, async |outside| {
    in_turn(&outside, taker::nftables).await;
});

async fn in_turn(outside: &Outside, choose: fn() -> std::io::Result<Taken>) {
    pod::serve("pod", PORT);
    let first = Session::start(choose, Manner::Takes).await;
    first.incoming.subscribe(STEAL).await.unwrap();
    let second = Session::start(choose, Manner::Takes).await;
    second.incoming.subscribe(STEAL).await.unwrap();
    for going in [&first, &second] {
        for ip in [POD_V4, POD_V6] {
            let (greeting, _) = outside.run(move || visit(ip, PORT)).await.unwrap();
            assert!(greeting.starts_with("stolen "), "{greeting}");
        }
        going.incoming.shutdown().await;
    }
    let (greeting, _) = outside.run(|| visit(POD_V4, PORT)).await.unwrap();
    assert!(greeting.starts_with("pod "), "{greeting}");
}

in_pod!(
    what_one_session_refuses_the_other_may_take,
    Root,
    async |outside| {
        pod::serve("pod", PORT);
        let first = Session::start(taker::sk_lookup, Manner::Refuses).await;
        first.incoming.subscribe(STEAL).await.unwrap();
        let second = Session::start(taker::sk_lookup, Manner::Takes).await;
        second.incoming.subscribe(STEAL).await.unwrap();
        let (greeting, _) = outside.run(|| visit(POD_V4, PORT)).await.unwrap();
        assert!(greeting.starts_with("stolen "), "{greeting}");
    }
);
