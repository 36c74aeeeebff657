//! The agent as a process: what it tells, whom it serves, and how it ends.

mod common;

use std::{os::unix::fs::PermissionsExt, time::Duration};

use common::{Agent, Running, User, agent_command, command, failing, is_root, target};
use mirrord_link::{LinkError, SessionIdentity, Side, dial};
use mirrord_protocol::{
    control::{Answer, FromAgent, Notice, Request, ToAgent},
    hello::Purpose,
    streams::{StreamHeader, StreamReply},
};
use rustix::process::Signal;

async fn tells_the_facts(user: User) {
    let target = target(user);
    let agent = Agent::start(user, &target, &[]);
    let (mut control, facts) = agent.control().await;
    let environment: Vec<(&[u8], &[u8])> = facts
        .environment
        .iter()
        .map(|(name, value)| (&name[..], &value[..]))
        .collect();
    assert_eq!(
        environment,
        [(&b"GREETING"[..], &b"hello world"[..]), (b"EMPTY", b"")]
    );
    assert_eq!(facts.hostname, "pod-7");
    assert_eq!(facts.working_directory, "/usr");
    // An ordinary user's target is root in its own user namespace, and that is what it sees.
    assert_eq!((facts.creds.uid, facts.creds.gid), (0, 0));

    let namespace = |pid: i32| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    assert_eq!(namespace(agent.process.pid()), namespace(target.pid()));
    assert_ne!(
        namespace(agent.process.pid()),
        namespace(std::process::id() as i32)
    );
    let mode = std::fs::metadata(&agent.socket)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    control.send(&ToAgent::Ping(7)).await;
    assert_eq!(control.next().await, Some(FromAgent::Pong(7)));
    control.send(&ToAgent::Request(3, Request::Target)).await;
    assert_eq!(
        control.next().await,
        Some(FromAgent::Answer(3, Ok(Answer::Target(facts))))
    );
}

#[tokio::test]
async fn the_facts_come_first_and_the_network_is_the_targets() {
    tells_the_facts(User::Caller).await;
}

#[tokio::test]
async fn an_ordinary_user_serves_a_target_in_a_user_namespace_of_its_own() {
    tells_the_facts(User::Ordinary).await;
}

#[tokio::test]
async fn the_targets_end_is_told_and_ends_the_agent() {
    let target = target(User::Caller);
    let mut agent = Agent::start(User::Caller, &target, &[]);
    let (mut control, _) = agent.control().await;
    drop(target);
    assert_eq!(
        control.next().await,
        Some(FromAgent::Notice(Notice::TargetGone))
    );
    let Some(FromAgent::Close { reason }) = control.next().await else {
        panic!("no close")
    };
    assert!(reason.contains("target"), "{reason}");
    assert!(control.next().await.is_none());
    assert!(agent.process.wait().success());
    assert!(!agent.socket.exists());
}

#[tokio::test]
async fn a_signal_ends_the_agent_in_order() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let target = target(User::Caller);
        let mut agent = Agent::start(User::Caller, &target, &[]);
        let (mut control, _) = agent.control().await;
        agent.process.signal(signal);
        let Some(FromAgent::Close { reason }) = control.next().await else {
            panic!("no close")
        };
        assert!(reason.contains(name), "{reason}");
        assert!(agent.process.wait().success());
        assert!(!agent.socket.exists());
    }
}

#[tokio::test]
async fn the_sessions_close_ends_the_agent() {
    let target = target(User::Caller);
    let mut agent = Agent::start(User::Caller, &target, &[]);
    let (mut control, _) = agent.control().await;
    control
        .send(&ToAgent::Close {
            reason: "done".to_owned(),
        })
        .await;
    assert!(agent.process.wait().success());
    assert!(!agent.socket.exists());
}

#[tokio::test]
async fn a_session_that_vanishes_ends_the_agent() {
    let target = target(User::Caller);
    let mut agent = Agent::start(User::Caller, &target, &[]);
    let (control, _) = agent.control().await;
    drop(control);
    assert!(agent.process.wait().success());
    assert!(!agent.socket.exists());
}

#[tokio::test]
async fn a_session_may_come_back_within_the_grace_time_and_only_then() {
    let target = target(User::Caller);
    let mut agent = Agent::start(User::Caller, &target, &["--grace-ms", "700"]);
    for _ in 0..2 {
        let (control, _) = agent.control().await;
        drop(control);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (mut control, _) = agent.control().await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    control.send(&ToAgent::Ping(1)).await;
    assert_eq!(control.next().await, Some(FromAgent::Pong(1)));
    drop(control);
    assert!(agent.process.wait().success());
}

#[tokio::test]
async fn strangers_are_refused_and_do_not_disturb() {
    let target = target(User::Caller);
    let agent = Agent::start(User::Caller, &target, &[]);
    let (mut control, _) = agent.control().await;

    let thief = SessionIdentity {
        key: SessionIdentity::new_key().unwrap(),
        ..agent.identity.clone()
    };
    let refused = dial(&agent.endpoint, &thief, Purpose::Control).await;
    assert!(matches!(refused, Err(LinkError::Refused { .. })));

    let other = SessionIdentity {
        session: "s2".to_owned(),
        ..agent.identity.clone()
    };
    let (_, socket) = dial(&agent.endpoint, &other, Purpose::Control)
        .await
        .unwrap();
    let (_sender, mut receiver) = socket.into_messages();
    assert!(receiver.next().await.is_none());
    assert!(receiver.close_reason().unwrap().contains("another session"));

    control.send(&ToAgent::Ping(1)).await;
    assert_eq!(control.next().await, Some(FromAgent::Pong(1)));
}

#[tokio::test]
async fn the_end_closes_the_streams_link_with_the_reason() {
    let target = target(User::Caller);
    let mut agent = Agent::start(User::Caller, &target, &[]);
    let (_control, _) = agent.control().await;
    let (_, socket) = dial(&agent.endpoint, &agent.identity, Purpose::Streams)
        .await
        .unwrap();
    let (streams, mut incoming) = socket.into_streams(Side::Session);
    // A new network namespace has no way anywhere, not even its loopback is up.
    let to = "10.1.2.3:4".parse().unwrap();
    let (reply, _) = streams
        .open_with_reply(&StreamHeader::ConnectTcp { to })
        .await
        .unwrap();
    let StreamReply::Failed(error) = reply else {
        panic!("{reply:?}")
    };
    assert_eq!(error.errno, libc::ENETUNREACH);
    drop(target);
    assert!(incoming.next().await.is_none());
    let Some(LinkError::Closed { reason }) = incoming.end() else {
        panic!("no reason")
    };
    assert!(reason.contains("target"), "{reason}");
    assert!(agent.process.wait().success());
}

#[tokio::test]
async fn a_tcp_endpoint_works_with_any_port() {
    let target = target(User::Caller);
    let key = SessionIdentity::new_key().unwrap();
    let public = SessionIdentity::public_hex(&key);
    let mut child = agent_command(User::Caller, target.pid(), "tcp:127.0.0.1:0", &public)
        .spawn()
        .map(Running)
        .unwrap();
    let mut line = String::new();
    let output = child.0.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let identity = SessionIdentity {
        session: "s1".to_owned(),
        key,
        agent: words[3].parse().unwrap(),
    };
    dial(&words[5].parse().unwrap(), &identity, Purpose::Control)
        .await
        .unwrap();
}

const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

#[test]
fn no_such_process_says_so() {
    let mut gone = command(User::Caller, "true").spawn().unwrap();
    gone.wait().unwrap();
    let pid = gone.id() as i32;
    let text = failing(agent_command(
        User::Caller,
        pid,
        "unix:/nonexistent/agent",
        KEY,
    ));
    assert!(text.contains(&format!("no process {pid}")), "{text}");
}

#[test]
fn a_process_of_somebody_else_says_who_may() {
    let target = target(User::Caller);
    if !is_root() {
        eprintln!("SKIPPED: only root can make a process that the tester may not open");
        return;
    }
    let text = failing(agent_command(
        User::Ordinary,
        target.pid(),
        "unix:/nonexistent/agent",
        KEY,
    ));
    assert!(
        text.contains("no permission") && text.contains("Run as root"),
        "{text}"
    );
}

#[test]
fn bad_arguments_say_what_is_wrong() {
    let target = target(User::Caller);
    let text = failing(agent_command(
        User::Caller,
        target.pid(),
        "unix:/nonexistent/agent",
        KEY,
    ));
    assert!(
        text.contains("could not listen at unix:/nonexistent/agent"),
        "{text}"
    );
    let text = failing(agent_command(
        User::Caller,
        target.pid(),
        "tcp:127.0.0.1:0",
        "abc",
    ));
    assert!(
        text.contains("`abc` is not a session's public key"),
        "{text}"
    );
}
