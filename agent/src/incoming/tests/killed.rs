//! `kill -9` of who holds a port: the pod's program has its clients again.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::in_pod;
use super::namespace::{Outside, POD_V4, POD_V6};
use super::pod::{self, PORT, visit};
use crate::incoming::taker;

const HOLD: &str = "MIRRORD_TEST_HOLD";

in_pod!(by_sk_lookup, Root, async |outside| {
    // The kernel detaches the program with the process's last descriptor.
    killed(&outside, "sk_lookup", Duration::from_millis(500)).await;
});
in_pod!(by_nftables, Rootless, async |outside| {
    killed(&outside, "nftables", Duration::from_millis(500)).await;
});
in_pod!(by_nftables_of_an_old_kernel, Rootless, async |outside| {
    killed(&outside, "guarded", Duration::from_secs(1)).await;
});

/// Not a test of its own: the process that is killed in the others.
#[test]
fn holder() {
    let Some(how) = std::env::var_os(HOLD) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let taken = match how.to_str().unwrap() {
            "sk_lookup" => taker::sk_lookup(),
            "nftables" => taker::nftables(),
            _ => super::stolen::guarded(),
        }
        .unwrap();
        taken.taker.take(PORT).unwrap();
        for listener in taken.listeners.iter() {
            let listener = listener.clone();
            tokio::spawn(async move {
                use tokio::io::AsyncWriteExt;
                loop {
                    let (mut socket, _) = listener.accept().await.unwrap();
                    tokio::spawn(async move {
                        socket.write_all(b"held\n").await.unwrap();
                        std::future::pending::<()>().await;
                    });
                }
            });
        }
        println!("\nready");
        std::io::stdout().flush().unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
}

struct Holder(Child);

impl Holder {
    fn start(how: &str) -> Holder {
        let name = concat!(module_path!(), "::holder")
            .split_once("::")
            .unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name.1, "--nocapture", "--test-threads=1"])
            .env(HOLD, how)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.map_while(Result::ok).any(|line| line == "ready");
        let holder = Holder(child);
        assert!(ready, "the holder did not start");
        holder
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn killed(outside: &Outside, how: &str, at_most: Duration) {
    pod::serve("pod", PORT);
    let holder = Holder::start(how);
    let greet = |ip: &'static str| {
        outside.run(move || pod::Client::call(ip, PORT).and_then(|mut client| client.greeting()))
    };
    for ip in [POD_V4, POD_V6] {
        assert_eq!(greet(ip).await.unwrap(), "held");
    }
    drop(holder);
    let begin = Instant::now();
    loop {
        let answers = [
            outside.run(|| visit(POD_V4, PORT)).await,
            outside.run(|| visit(POD_V6, PORT)).await,
        ];
        if answers.iter().flatten().count() == 2 {
            break;
        }
        assert!(begin.elapsed() < at_most, "{how}: {answers:?}");
    }
    assert!(begin.elapsed() < at_most, "{how}: {:?}", begin.elapsed());
}
