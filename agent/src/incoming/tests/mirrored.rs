//! A mirrored port: the pod answers as ever, and the session gets the same bytes.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mirrord_protocol::control::{IncomingMode, Notice, Subscribe};

use super::in_pod;
use super::namespace::{Outside, POD_V4, POD_V6, elsewhere};
use super::pod::{self, Client, PORT, SERVED, visit};
use super::session::{Copied, Manner, Session};
use crate::incoming::taker;

const MIRROR: Subscribe = Subscribe {
    port: PORT,
    mode: IncomingMode::Mirror,
};

in_pod!(every_client, Root, async |outside| every_client_is_copied(
    &outside
)
.await);
in_pod!(every_client_rootless, Rootless, async |outside| {
    every_client_is_copied(&outside).await;
});

async fn every_client_is_copied(outside: &Outside) {
    pod::serve("pod", PORT);
    let standing = elsewhere(|| Client::call("127.0.0.1", PORT)).await.unwrap();
    let session = Session::start(taker::choose, Manner::Takes).await;
    let (id, by) = session.incoming.subscribe(MIRROR).await.unwrap();
    assert_eq!(by, "capture");
    let mut clients = Vec::new();
    for ip in ["127.0.0.1", "::1", POD_V4] {
        clients.push(elsewhere(move || visit(ip, PORT)).await.unwrap());
    }
    for ip in [POD_V4, POD_V6] {
        clients.push(outside.run(move || visit(ip, PORT)).await.unwrap());
    }
    for (greeting, local) in &clients {
        assert_eq!(*greeting, format!("pod {local}"), "the pod saw its client");
    }
    let copies = copies_of(&session, clients.len()).await;
    for (_, local) in &clients {
        let of_client = |copied: &&Copied| copied.addresses.client == *local;
        let copied = copies.iter().find(of_client).expect("each client's");
        assert_eq!(copied.addresses.server.port(), PORT);
        assert_eq!(
            (&copied.bytes[..], copied.ended),
            (&b"some bytes"[..], true)
        );
    }
    session.incoming.unsubscribe(id).await;
    elsewhere(move || standing.finish_greeted()).await.unwrap();
    outside.run(|| visit(POD_V4, PORT)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        copies_of(&session, 0).await.len(),
        0,
        "nothing more is copied"
    );
    session.incoming.shutdown().await;
}

impl Client {
    fn finish_greeted(mut self) -> std::io::Result<()> {
        self.greeting()?;
        self.finish()
    }
}

in_pod!(
    a_refused_connection_is_not_copied,
    Rootless,
    async |outside| {
        let session = Session::start(taker::choose, Manner::Takes).await;
        session.incoming.subscribe(MIRROR).await.unwrap();
        outside.run(|| visit(POD_V4, PORT)).await.unwrap_err();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(copies_of(&session, 0).await.len(), 0);
    }
);

in_pod!(a_crowd_is_copied, Rootless, async |outside| {
    pod::serve("pod", PORT);
    let mut session = Session::start(taker::choose, Manner::Takes).await;
    session.incoming.subscribe(MIRROR).await.unwrap();
    let payload = |number: u32| -> Vec<u8> {
        (0..10_000u32)
            .flat_map(|word| (word ^ number << 16).to_le_bytes())
            .collect()
    };
    outside
        .run(move || {
            std::thread::scope(|scope| {
                for number in 0..50 {
                    scope.spawn(move || {
                        let mut client = Client::call(POD_V4, PORT).unwrap();
                        client.greeting().unwrap();
                        for chunk in payload(number).chunks(1000) {
                            client.echo(chunk).unwrap();
                        }
                        client.finish().unwrap();
                    });
                }
            });
        })
        .await;
    let copies = copies_of(&session, 50).await;
    for copied in copies {
        assert!(copied.ended, "{:?}", session.notice_rx.try_recv());
        let number = u32::from_le_bytes(copied.bytes[..4].try_into().unwrap()) >> 16;
        assert!(copied.bytes == payload(number), "client {number}");
    }
});

in_pod!(a_big_upload_stalls_nobody, Root, async |outside| {
    big_upload(&outside, false).await;
});
in_pod!(
    a_big_upload_is_copied_whole_by_a_link_that_keeps_up,
    Rootless,
    async |outside| {
        big_upload(&outside, true).await;
    }
);

const SIZE: usize = 100 << 20;

/// Uploads 100 MB: as fast as it goes, or with the copy close behind.
async fn big_upload(outside: &Outside, keeps_up: bool) {
    pod::serve("pod", PORT);
    let mut session = Session::start(taker::choose, Manner::Takes).await;
    let plain = outside.run(|| upload(|_| ())).await;
    session.incoming.subscribe(MIRROR).await.unwrap();
    let copies = session.copies.clone();
    let mirrored = outside.run(move || {
        upload(|sent| {
            let copied = || copies.bytes.load(Ordering::Relaxed);
            while keeps_up && sent > copied() + (512 << 10) {
                std::thread::sleep(Duration::from_micros(100));
            }
        })
    });
    let mirrored = mirrored.await;
    eprintln!("100 MiB echoed: plain {plain:?}, mirrored {mirrored:?}");
    // No exact times, but nobody waited for anything either.
    assert!(keeps_up || mirrored < plain * 4 + Duration::from_secs(2));
    assert_eq!(SERVED.load(Ordering::Relaxed), 2);
    let copies = copies_of(&session, 1).await;
    let copied = &copies[0];
    let right = copied.bytes.iter().zip(pattern()).all(|(&a, b)| a == b);
    assert!(right, "what was copied is what was sent");
    let whole = copied.ended && copied.bytes.len() == SIZE;
    eprintln!("copied {} of {SIZE}, whole: {whole}", copied.bytes.len());
    if keeps_up {
        assert!(whole, "{:?}", session.notice_rx.try_recv());
    }
    if !whole {
        assert!(!copied.ended, "a cut copy must not look finished");
        let notice = session.notice_rx.try_recv().unwrap();
        assert!(matches!(notice, Notice::Log { text, .. } if text.contains("was cut")));
    }
}

fn pattern() -> impl Iterator<Item = u8> {
    (0u32..).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
}

/// Sends everything and checks its echo; `wait` may hold back what comes after `sent` bytes.
fn upload(wait: impl Fn(usize) + Send) -> Duration {
    let bytes: Vec<u8> = pattern().take(SIZE).collect();
    let mut client = Client::call(POD_V4, PORT).unwrap();
    client.greeting().unwrap();
    let begin = Instant::now();
    let mut sender = client.socket.try_clone().unwrap();
    std::thread::scope(|scope| {
        let bytes = &bytes;
        scope.spawn(move || {
            const CHUNK: usize = 64 << 10;
            for (number, chunk) in bytes.chunks(CHUNK).enumerate() {
                sender.write_all(chunk).unwrap();
                wait(number * CHUNK);
            }
            sender.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = vec![0; 256 * 1024];
        let mut at = 0;
        loop {
            match client.socket.read(&mut back).unwrap() {
                0 => break,
                size => {
                    assert!(back[..size] == bytes[at..at + size], "the echo differs");
                    at += size;
                }
            }
        }
        assert_eq!(at, SIZE);
    });
    begin.elapsed()
}

/// Takes the finished copies, at least so many.
async fn copies_of(session: &Session, count: usize) -> Vec<Copied> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if session.copies.over.lock().unwrap().len() >= count {
            return std::mem::take(&mut *session.copies.over.lock().unwrap());
        }
        assert!(Instant::now() < deadline, "copies are missing");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
