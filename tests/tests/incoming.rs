//! The pod's clients and the local program: stolen, mirrored, and given back.

use std::time::{Duration, Instant};

use mirrord_sandbox::{HttpCall, Place, addresses};
use mirrord_tests::pod::Pod;
use mirrord_tests::{programs, run};

const CLIENT: &str = "10.77.1.1";
const CLIENT_V6: &str = "fd77:1::1";

fn call_v4(path: &str) -> HttpCall {
    HttpCall::get((addresses::POD_V4, addresses::WEB_PORT), path)
}

fn call_v6(path: &str) -> HttpCall {
    HttpCall::get((addresses::POD_V6, addresses::WEB_PORT), path)
}

fn outside(pod: &Pod, call: &HttpCall) -> String {
    pod.sandbox.client_http(call).expect("an answer").text()
}

/// Asks until the pod's own program answers again.
fn wait_for_the_pod(pod: &Pod, within: Duration) {
    let started = Instant::now();
    loop {
        if let Ok(answer) = pod.sandbox.client_http(&call_v4("/"))
            && answer.text().contains("pod: shop-")
        {
            return;
        }
        assert!(
            started.elapsed() < within,
            "the pod does not answer its clients again"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

macro_rules! servers {
    ($($test:ident => $program:literal),* $(,)?) => {$(
        mod $test {
            use super::*;

            #[test]
            fn answers_the_clients_of_a_stolen_port_and_sees_their_addresses() {
                let pod = Pod::up("steal");
                let program = programs::named($program);
                let mut command = run::exec(&pod, &["--steal"], &program.argv);
                let (running, line) = run::Running::start(command.args(["serve", "8080", "3"]), "listening on");
                assert_eq!(line, "listening on 8080", "it is told the port that it asked for");
                for path in ["/one", "/two"] {
                    let answer = outside(&pod, &call_v4(path));
                    assert!(answer.starts_with("local ") && answer.contains(path), "{answer}");
                    assert!(answer.contains(CLIENT), "the client's own address: {answer}");
                }
                let loopback = HttpCall::get((std::net::Ipv4Addr::LOCALHOST, addresses::WEB_PORT), "/three");
                let answer = pod.sandbox.http_at(Place::PodNetwork, &loopback).expect("an answer").text();
                assert!(answer.starts_with("local ") && answer.contains("127.0.0.1"), "{answer}");
                let ended = running.finish();
                assert!(ended.status.success(), "{ended:?}");
                wait_for_the_pod(&pod, Duration::from_secs(1));
            }

            #[test]
            fn gets_a_copy_of_what_clients_of_a_mirrored_port_send() {
                let pod = Pod::up("mirror");
                let program = programs::named($program);
                let mut command = run::exec(&pod, &[], &program.argv);
                let (running, _) = run::Running::start(command.args(["serve", "8080", "2"]), "listening on");
                let plain = |path: &str| outside(&pod, &call_v4(path));
                for path in ["/copy-one", "/copy-two"] {
                    let answer = plain(path);
                    assert!(answer.contains("pod: shop-mirror"), "the pod answers: {answer}");
                }
                let ended = running.finish();
                for path in ["/copy-one", "/copy-two"] {
                    let seen = ended.stdout.lines().any(|line| line.contains(path) && line.contains(CLIENT));
                    assert!(seen, "{path} from the real client is in {ended:?}");
                }
            }
        }
    )*};
}

servers! {
    c_dynamic => "c",
    c_static => "c-static",
    c_musl => "c-musl",
    go_with_cgo => "go-cgo",
    go_static => "go-static",
    rust => "rust",
    python => "python",
    node => "node",
    java => "java",
}

#[test]
fn ipv6_clients_are_stolen_too() {
    let pod = Pod::up("steal-six");
    let mut command = run::exec(&pod, &["--steal"], &programs::named("c").argv);
    let (running, _) = run::Running::start(command.args(["serve", "8080", "1"]), "listening on");
    let answer = outside(&pod, &call_v6("/six"));
    assert!(
        answer.contains("/six") && answer.contains(CLIENT_V6),
        "{answer}"
    );
    assert!(running.finish().status.success());
}

#[test]
fn the_pod_answers_again_when_the_program_is_killed() {
    let pod = Pod::up("killed");
    let mut command = run::exec(&pod, &["--steal"], &programs::named("go-static").argv);
    let (mut running, _) =
        run::Running::start(command.args(["serve", "8080", "100"]), "listening on");
    assert!(outside(&pod, &call_v4("/")).starts_with("local "));
    running.child.kill().expect("killed");
    running.child.wait().expect("waited");
    wait_for_the_pod(&pod, Duration::from_secs(3));
}

#[test]
fn a_port_that_the_program_closes_goes_back_while_it_runs() {
    let pod = Pod::up("closed");
    let script = "import socket, time\n\
        s = socket.socket(); s.bind(('0.0.0.0', 8080)); s.listen()\n\
        print('listening on 8080', flush=True); s.accept(); s.close()\n\
        print('closed', flush=True); time.sleep(30)";
    let mut command = run::exec(&pod, &["--steal"], &[programs::PYTHON, "-c", script]);
    let (running, _) = run::Running::start(&mut command, "listening on");
    // One connection lets it go on to closing its socket.
    let _ = pod.sandbox.client_http(&call_v4("/"));
    wait_for_the_pod(&pod, Duration::from_secs(3));
    drop(running);
}

#[test]
fn without_a_word_nothing_is_stolen() {
    let pod = Pod::up("default");
    let mut command = run::exec(&pod, &[], &programs::named("c").argv);
    let (running, _) = run::Running::start(command.args(["serve", "8080", "5"]), "listening on");
    for _ in 0..5 {
        assert!(outside(&pod, &call_v4("/")).contains("pod: shop-default"));
    }
    let ended = running.finish();
    assert!(ended.status.success(), "it had its five copies: {ended:?}");
}
