//! `port-forward` and `dump`: the pod's network without a local program.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use mirrord_sandbox::{HttpCall, addresses};
use mirrord_tests::pod::Pod;
use mirrord_tests::run::{self, Ended, Running, finish};

fn command(pod: &Pod, arguments: &[&str]) -> Command {
    let (name, rest) = arguments.split_first().expect("a command");
    let mut command = run::server(pod.runtime(), &[name, "--target", &pod.target()]);
    command.args(rest);
    command
}

/// Starts it and waits until everything that it forwards stands: its lines.
fn standing(pod: &Pod, arguments: &[&str]) -> (Running, serde_json::Value) {
    let mut command = command(pod, arguments);
    let (running, line) = Running::start(command.arg("--json"), "{");
    let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
    (running, line)
}

/// Asks it to end as Ctrl-C does, and looks that it did.
fn interrupt(running: Running) -> Ended {
    // SAFETY: plain kill(2) of a process that this test started.
    let sent = unsafe { libc::kill(running.child.id() as i32, libc::SIGINT) };
    assert_eq!(sent, 0);
    let ended = running.finish();
    assert_eq!(ended.status.code(), Some(128 + libc::SIGINT), "{ended:?}");
    ended
}

/// Addresses that a local forward listens on.
fn listens(standing: &serde_json::Value) -> Vec<SocketAddr> {
    let listen = standing["listen"].as_array().expect("addresses");
    let parse = |text: &serde_json::Value| text.as_str().expect("text").parse().expect("address");
    listen.iter().map(parse).collect()
}

fn echoed(to: SocketAddr, text: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(to).expect("connected");
    socket.write_all(text).expect("sent");
    socket.shutdown(std::net::Shutdown::Write).expect("ended");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an answer");
    answer
}

fn call() -> HttpCall {
    HttpCall::get((addresses::POD_V4, addresses::WEB_PORT), "/forwarded")
}

fn outside(pod: &Pod) -> String {
    pod.sandbox.client_http(&call()).expect("an answer").text()
}

/// The next client; one that does not come fails the test.
fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).expect("set");
    let mut client = None;
    wait_until("a client", || {
        client = listener.accept().ok();
        client.is_some()
    });
    let (socket, _) = client.expect("a client");
    socket.set_nonblocking(false).expect("set");
    socket
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "not in time: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_port_here_leads_to_a_service_that_only_the_pod_reaches() {
    let pod = Pod::up("forward-local");
    for host in [
        addresses::SERVICE_NAME.to_owned(),
        addresses::SERVICE_V4.to_string(),
        format!("[{}]", addresses::SERVICE_V6),
    ] {
        let spec = format!("0:{host}:{}", addresses::ECHO_PORT);
        let (running, line) = standing(&pod, &["port-forward", "-L", &spec]);
        for address in listens(&line) {
            assert_eq!(
                echoed(address, b"through the pod"),
                b"through the pod",
                "{spec}"
            );
            let sent: Vec<u8> = (0..3u32 << 20).map(|number| (number / 251) as u8).collect();
            let answer = echo_big(address, sent.clone());
            assert!(
                answer == sent,
                "{} bytes of {} came back",
                answer.len(),
                sent.len()
            );
        }
        interrupt(running);
    }
}

/// As [`echoed`], for more than the sockets on the way hold.
fn echo_big(to: SocketAddr, text: Vec<u8>) -> Vec<u8> {
    let socket = TcpStream::connect(to).expect("connected");
    let mut writer = socket.try_clone().expect("cloned");
    let sender = std::thread::spawn(move || {
        writer.write_all(&text).expect("sent");
        writer.shutdown(std::net::Shutdown::Write).expect("ended");
    });
    let mut answer = Vec::new();
    (&socket).read_to_end(&mut answer).expect("an answer");
    sender.join().expect("sent");
    answer
}

/// A port that nobody listens on at the moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    listener.local_addr().expect("an address").port()
}

#[test]
fn several_forwards_stand_together_on_both_loopbacks() {
    let pod = Pod::up("forward-several");
    let (one, two) = (free_port(), free_port());
    let echo = format!("{one}:{}:{}", addresses::SERVICE_V4, addresses::ECHO_PORT);
    let web = format!("{two}:{}", addresses::WEB_PORT);
    let (running, first) = standing(&pod, &["port-forward", "-L", &echo, "-L", &web]);
    assert_eq!(first["to"], "10.77.2.2:7000");
    let bound = listens(&first);
    assert_eq!(bound[0], (Ipv4Addr::LOCALHOST, one).into());
    for address in bound.iter().map(SocketAddr::ip) {
        assert_eq!(echoed((address, one).into(), b"one"), b"one");
        let answer = echoed((address, two).into(), b"GET / HTTP/1.0\r\n\r\n");
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.contains("pod: shop-"), "the pod itself: {answer}");
    }
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        assert_eq!(bound.len(), 2, "both loopbacks: {bound:?}");
    }
    interrupt(running);
}

#[test]
fn a_port_of_the_pod_leads_to_a_program_here() {
    let pod = Pod::up("forward-remote");
    let own = outside(&pod);
    assert!(own.contains("pod: shop-"), "{own}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let spec = format!("{}:{port}", addresses::WEB_PORT);
    let server = std::thread::spawn(move || {
        let mut socket = accept(&listener);
        let mut request = [0; 4096];
        let size = socket.read(&mut request).expect("a request");
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlocal";
        socket.write_all(answer).expect("answered");
        String::from_utf8_lossy(&request[..size]).into_owned()
    });
    let (running, line) = standing(&pod, &["port-forward", "--steal", "-R", &spec]);
    assert_eq!(
        (&line["kind"], &line["mode"]),
        (&"remote".into(), &"steal".into())
    );
    assert_eq!(outside(&pod), "local");
    assert!(server.join().expect("served").starts_with("GET /forwarded"));
    // Nothing listens any more: the pod's own program answers, and the user is told.
    wait_until("the pod answers", || outside(&pod).contains("pod: shop-"));
    let ended = interrupt(running);
    assert!(
        ended.stderr.contains("nothing listens on port"),
        "{ended:?}"
    );
    wait_until("the pod answers", || outside(&pod).contains("pod: shop-"));
}

#[test]
fn by_default_a_program_here_gets_a_copy() {
    let pod = Pod::up("forward-mirror");
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect("bound");
    let port = listener.local_addr().expect("an address").port();
    let spec = format!("{}:{port}", addresses::WEB_PORT);
    let (running, line) = standing(&pod, &["port-forward", "-R", &spec]);
    assert_eq!(line["mode"], "mirror");
    assert!(outside(&pod).contains("pod: shop-"));
    let mut socket = accept(&listener);
    let mut request = [0; 4096];
    let size = socket.read(&mut request).expect("a request");
    assert!(request[..size].starts_with(b"GET /forwarded"));
    interrupt(running);
}

#[test]
fn a_port_that_is_taken_is_told_before_anything_starts() {
    let pod = Pod::up("forward-taken");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    let port = taken.local_addr().expect("an address").port();
    let spec = format!("{port}:orders:80");
    let ended = finish(&mut command(&pod, &["port-forward", "-L", &spec]));
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert!(
        ended.stderr.contains(&format!("127.0.0.1:{port}"))
            && ended.stderr.contains("another port"),
        "{ended:?}"
    );
}

#[test]
fn a_forward_that_is_written_wrongly_is_one_clear_error() {
    let pod = Pod::up("forward-wrong");
    for (arguments, word) in [
        (&["port-forward", "-L", "8080:fd00::1:80"][..], "brackets"),
        (&["port-forward", "-R", "80:x"][..], "POD_PORT"),
        (&["port-forward"][..], "--local"),
        (&["port-forward", "-R", "80", "-R", "80:81"][..], "twice"),
        (&["dump", "-p", "0"][..], "port"),
        (&["dump"][..], "--port"),
    ] {
        let ended = finish(&mut command(&pod, arguments));
        assert!(!ended.status.success(), "{ended:?}");
        assert!(ended.stderr.contains(word), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn what_the_pod_cannot_reach_is_a_reset_and_a_reason() {
    let pod = Pod::up("forward-refused");
    let spec = format!("0:{}:{}", addresses::SERVICE_V4, addresses::REFUSED_PORT);
    let (running, line) = standing(&pod, &["port-forward", "-L", &spec]);
    let mut socket = TcpStream::connect(listens(&line)[0]).expect("connected");
    let error = socket.read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let ended = interrupt(running);
    assert!(
        ended.stderr.contains("cannot be reached from the pod"),
        "{ended:?}"
    );
}

#[test]
fn an_agent_that_dies_ends_the_forwarding_with_a_reason() {
    let pod = Pod::up("forward-agent");
    let (running, _) = standing(&pod, &["port-forward", "--steal", "-R", "8080:9"]);
    let parent = running.child.id() as i32;
    // SAFETY: plain kill(2) of the agent that this test's own process started.
    unsafe { libc::kill(agent_of(parent), libc::SIGKILL) };
    let ended = running.finish();
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    assert!(
        ended.stderr.contains("the pod is out of reach"),
        "{ended:?}"
    );
    wait_until("the pod answers", || outside(&pod).contains("pod: shop-"));
}

/// The process id of a process's agent.
fn agent_of(parent: i32) -> i32 {
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else {
            continue;
        };
        let read = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
        let is_child =
            read("status").is_ok_and(|text| text.contains(&format!("PPid:\t{parent}\n")));
        if is_child && read("cmdline").is_ok_and(|text| text.contains("mirrord-agent")) {
            return pid;
        }
    }
    panic!("process {parent} has no agent");
}

#[test]
fn traffic_of_a_port_is_printed_while_the_pod_serves() {
    let pod = Pod::up("dump");
    let port = addresses::WEB_PORT.to_string();
    let mut command = command(&pod, &["dump", "-p", &port, "--json"]);
    let (running, line) = Running::start(&mut command, "{");
    assert!(line.contains(r#""kind":"watching""#), "{line}");
    for _ in 0..2 {
        assert!(outside(&pod).contains("pod: shop-"), "the pod answers");
    }
    // The last words of a connection come with its end.
    std::thread::sleep(Duration::from_millis(500));
    let ended = interrupt(running);
    let lines: Vec<serde_json::Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect();
    for connection in [1, 2] {
        let of = |kind: &str| {
            let mut found = lines.iter().filter(|line| line["kind"] == kind);
            found.find(|line| line["connection"] == connection)
        };
        let opened = of("opened").expect("opened");
        assert!(
            opened["client"]
                .as_str()
                .is_some_and(|client| client.starts_with("10.77.1.1:"))
        );
        let sent = of("sent").expect("sent");
        let text = sent["text"].as_str().expect("text");
        assert!(text.starts_with("GET /forwarded HTTP/1.1\r\n"), "{text}");
        assert_eq!(
            (&sent["to"], &sent["client"]),
            (&"pod".into(), &opened["client"])
        );
        assert!(sent["ts"].as_str().is_some_and(|ts| ts.ends_with('Z')));
        assert_eq!(
            of("closed").expect("closed")["reason"],
            "the client ended it"
        );
    }
}

#[test]
fn a_dump_ends_with_its_agent_and_says_why() {
    let pod = Pod::up("dump-agent");
    let mut command = command(&pod, &["dump", "-p", "8080"]);
    let (running, line) = Running::start(&mut command, "2");
    assert!(line.contains("watching port 8080"), "{line}");
    // SAFETY: plain kill(2) of the agent that this test's own process started.
    unsafe { libc::kill(agent_of(running.child.id() as i32), libc::SIGKILL) };
    let ended = running.finish();
    assert_eq!(ended.status.code(), Some(125), "{ended:?}");
    assert!(
        ended.stderr.contains("the pod is out of reach"),
        "{ended:?}"
    );
}
