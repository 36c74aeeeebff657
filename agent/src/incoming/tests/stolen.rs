//! A stolen port: everybody who calls it meets the session, and nobody else's traffic does.

use std::time::Duration;

use mirrord_protocol::control::{IncomingMode, Subscribe};

use super::in_pod;
use super::namespace::{OUTSIDE_V4, Outside, POD_V4, POD_V6, elsewhere};
use super::pod::{self, Client, PORT, visit};
use super::session::{Manner, Session};
use crate::incoming::listeners::Listeners;
use crate::incoming::nftables::Nftables;
use crate::incoming::taker::{self, Taken};

in_pod!(by_sk_lookup, Root, async |outside| {
    whole_port(&outside, taker::sk_lookup, "sk_lookup").await;
});
in_pod!(by_nftables, Root, async |outside| {
    whole_port(&outside, taker::nftables, "nftables").await;
});
in_pod!(by_nftables_without_root, Rootless, async |outside| {
    assert!(taker::sk_lookup().is_err(), "BPF is allowed here?");
    whole_port(&outside, taker::choose, "nftables").await;
});
in_pod!(by_nftables_of_an_old_kernel, Rootless, async |outside| {
    whole_port(&outside, guarded, "nftables").await;
});
in_pod!(root_uses_sk_lookup, Root, async |_outside| {
    assert_eq!(taker::choose().unwrap().taker.name(), "sk_lookup");
});

pub(super) fn guarded() -> std::io::Result<Taken> {
    let listeners = Listeners::on_any_address()?;
    let taker = std::sync::Arc::new(Nftables::create_guarded(listeners.port()?)?);
    Ok(Taken { taker, listeners })
}

pub(super) const STEAL: Subscribe = Subscribe {
    port: PORT,
    mode: IncomingMode::Steal,
};

async fn whole_port(outside: &Outside, choose: fn() -> std::io::Result<Taken>, by: &str) {
    pod::serve("pod", PORT);
    outside.run(|| pod::serve("other", PORT)).await;
    let mut standing = elsewhere(|| Client::call("127.0.0.1", PORT)).await.unwrap();
    let mut far = outside.run(|| Client::call(POD_V4, PORT)).await.unwrap();

    let session = Session::start(choose, Manner::Takes).await;
    let (id, how) = session.incoming.subscribe(STEAL).await.unwrap();
    assert_eq!(how, by);

    // Loopback and the pod's own addresses, from inside.
    for ip in ["127.0.0.1", "::1", POD_V4, POD_V6] {
        let (greeting, local) = elsewhere(move || visit(ip, PORT)).await.unwrap();
        assert_eq!(greeting, stolen(local, ip));
    }
    // Clients from outside, with their real addresses.
    for ip in [POD_V4, POD_V6] {
        let (greeting, local) = outside.run(move || visit(ip, PORT)).await.unwrap();
        assert_eq!(greeting, stolen(local, ip));
    }
    // A call of the pod to the same port of somebody else is not the pod's port.
    let (greeting, _) = elsewhere(|| visit(OUTSIDE_V4, PORT)).await.unwrap();
    assert_eq!(greeting, format!("other {POD_V4}:{}", port_of(&greeting)));
    // Connections that stood before are the pod's.
    let (first, second) = elsewhere(move || {
        let greetings = (standing.greeting()?, far.greeting()?);
        standing.echo(b"still here")?;
        far.echo(b"and here")?;
        standing.finish()?;
        far.finish()?;
        std::io::Result::Ok(greetings)
    })
    .await
    .unwrap();
    assert!(first.starts_with("pod ") && second.starts_with("pod "));

    let mut taken = outside.run(|| Client::call(POD_V4, PORT)).await.unwrap();
    let mut taken = elsewhere(move || taken.greeting().map(|_| taken))
        .await
        .unwrap();
    session.incoming.unsubscribe(id).await;
    for ip in ["127.0.0.1", "::1", POD_V6] {
        let (greeting, _) = elsewhere(move || visit(ip, PORT)).await.unwrap();
        assert!(greeting.starts_with("pod "), "{greeting}");
    }
    // A stolen connection that stands goes on, also long after the last port was given back.
    tokio::time::sleep(Duration::from_millis(800)).await;
    elsewhere(move || {
        taken.echo(&[7; 100_000])?;
        taken.finish()
    })
    .await
    .unwrap();
    // And the port can be taken again.
    session.incoming.subscribe(STEAL).await.unwrap();
    let (greeting, _) = outside.run(|| visit(POD_V6, PORT)).await.unwrap();
    assert!(greeting.starts_with("stolen "), "{greeting}");
    session.incoming.shutdown().await;
    let (greeting, _) = outside.run(|| visit(POD_V6, PORT)).await.unwrap();
    assert!(greeting.starts_with("pod "), "{greeting}");
    leaves_nothing().await;
}

fn stolen(client: std::net::SocketAddr, server_ip: &str) -> String {
    let server = std::net::SocketAddr::new(server_ip.parse().unwrap(), PORT);
    format!("stolen {client} {server}")
}

fn port_of(greeting: &str) -> &str {
    greeting.rsplit(':').next().unwrap()
}

/// No rules, and no listener of ours.
async fn leaves_nothing() {
    let left = || {
        let sockets = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
        let listening = sockets.lines().filter(|line| line.contains(" 0A ")).count();
        let rules = std::process::Command::new("nft")
            .args(["list", "ruleset"])
            .output();
        let rules = rules.map_or_else(
            |error| {
                eprintln!("SKIPPED looking at the rules: nft: {error}");
                String::new()
            },
            |output| String::from_utf8(output.stdout).unwrap(),
        );
        (listening, rules.contains("mirrord"))
    };
    for _ in 0..50 {
        if left() == (0, false) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("left behind: {:?}", left());
}

in_pod!(a_port_nobody_listens_on, Root, async |outside| {
    unused_port(&outside, taker::sk_lookup).await;
});
in_pod!(
    a_port_nobody_listens_on_rootless,
    Rootless,
    async |outside| {
        unused_port(&outside, taker::nftables).await;
    }
);

async fn unused_port(outside: &Outside, choose: fn() -> std::io::Result<Taken>) {
    let session = Session::start(choose, Manner::Takes).await;
    let subscribe = Subscribe {
        port: 9999,
        ..STEAL
    };
    session.incoming.subscribe(subscribe.clone()).await.unwrap();
    for ip in [POD_V4, POD_V6] {
        let (greeting, _) = outside.run(move || visit(ip, 9999)).await.unwrap();
        assert!(greeting.starts_with("stolen "), "{greeting}");
    }
    let twice = session.incoming.subscribe(subscribe).await.unwrap_err();
    assert_eq!(twice.errno, libc::EADDRINUSE);
    session.incoming.shutdown().await;
    let refused = outside.run(|| visit(POD_V4, 9999)).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

in_pod!(two_hundred_at_once, Root, async |outside| {
    crowd(&outside, taker::sk_lookup).await;
});
in_pod!(two_hundred_at_once_rootless, Rootless, async |outside| {
    crowd(&outside, taker::nftables).await;
});

async fn crowd(outside: &Outside, choose: fn() -> std::io::Result<Taken>) {
    let session = Session::start(choose, Manner::Takes).await;
    session.incoming.subscribe(STEAL).await.unwrap();
    outside
        .run(|| {
            std::thread::scope(|scope| {
                for number in 0..200u32 {
                    scope.spawn(move || {
                        let ip = if number % 2 == 0 { POD_V4 } else { POD_V6 };
                        let mut client = Client::call(ip, PORT).unwrap();
                        let greeting = client.greeting().unwrap();
                        let expected = format!("stolen {} {}", client.local, client.server);
                        assert_eq!(greeting, expected);
                        let bytes: Vec<u8> = (0..20_000u32)
                            .flat_map(|word| (word ^ number).to_le_bytes())
                            .collect();
                        client.echo(&bytes).unwrap();
                        client.finish().unwrap();
                    });
                }
            });
        })
        .await;
}
