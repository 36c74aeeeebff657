//! What is inside a sandbox pod, looked at from inside, from its client and from this machine.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;

use crate::common::{Home, again_as_ordinary_user, is_root, output, shell};
use mirrord_sandbox::addresses::*;
use mirrord_sandbox::{DownOnDrop, HttpCall, Isolation, Place, RunAs, Sandbox, SandboxSpec};

#[test]
fn a_pod_has_its_own_everything() {
    let home = Home::new();
    let sandbox = DownOnDrop::up(&home.sandboxes, &SandboxSpec::new("pod")).unwrap();
    assert_eq!(sandbox.info().user_namespace, !is_root());
    look_at_everything(&sandbox);
    drop(sandbox);
    home.assert_empty();
}

#[test]
fn an_ordinary_user_has_a_pod_with_everything() {
    again_as_ordinary_user("pod::a_pod_has_its_own_everything");
}

#[test]
fn root_may_choose_a_user_namespace() {
    if !is_root() {
        eprintln!("SKIPPED: this needs root");
        return;
    }
    let home = Home::new();
    let mut spec = SandboxSpec::new("pod");
    spec.isolation = Isolation::UserNamespace;
    let sandbox = DownOnDrop::up(&home.sandboxes, &spec).unwrap();
    assert!(sandbox.info().user_namespace);
    look_at_everything(&sandbox);
    assert_eq!(
        shell(&sandbox, "stat -c %u:%g:%a /data/modes/of-1001"),
        "1001:1001:600\n"
    );
    drop(sandbox);
    home.assert_empty();
}

fn look_at_everything(sandbox: &Sandbox) {
    files_are_the_pods(sandbox);
    environment_is_the_targets(sandbox);
    names_are_resolved(sandbox);
    the_service_answers_the_pod_only(sandbox);
    clients_reach_the_pod(sandbox);
}

fn files_are_the_pods(sandbox: &Sandbox) {
    assert_eq!(
        shell(sandbox, "cat /etc/hostname; hostname; pwd; id -u"),
        "shop-pod\nshop-pod\n/app\n0\n"
    );
    assert_eq!(shell(sandbox, "cat /data/links/escaping"), "shop-pod\n");
    assert!(shell(sandbox, "cat /data/links/through-var-run").starts_with("eyJ"));
    assert!(shell(sandbox, "cat /etc/app/config.yaml").contains("orders.shop.svc"));
    assert_eq!(
        shell(sandbox, "ls /data/many | wc -l; stat -c %s /data/sizes/4m"),
        "100\n4194304\n"
    );
    assert_eq!(
        shell(sandbox, "touch /usr/x 2>&1 || echo no")
            .lines()
            .last(),
        Some("no")
    );
    assert_eq!(shell(sandbox, "echo x > /data/new && cat /data/new"), "x\n");
    assert_eq!(
        shell(
            sandbox,
            "echo x > /dev/null; head -c4 /dev/zero | wc -c; test -p /data/pipe; echo $?"
        ),
        "4\n0\n"
    );
    // The same files by way of the target, as an agent sees them.
    assert_eq!(
        std::fs::read_to_string(sandbox.info().root.join("data/hello.txt")).unwrap(),
        "hello from a file in the pod\n"
    );
    // A pid namespace of its own with a /proc to match.
    assert_eq!(
        shell(
            sandbox,
            "tr '\\0' ' ' < /proc/1/cmdline | grep -c sandbox-init"
        ),
        "1\n"
    );
    let mut app = UnixStream::connect(sandbox.info().root.join("run/app.sock")).unwrap();
    app.write_all(b"echo").unwrap();
    app.shutdown(std::net::Shutdown::Write).unwrap();
    let mut back = String::new();
    app.read_to_string(&mut back).unwrap();
    assert_eq!(back, "echo");
}

fn environment_is_the_targets(sandbox: &Sandbox) {
    let target = std::fs::read(format!("/proc/{}/environ", sandbox.target_pid())).unwrap();
    let mut command = sandbox.command(Place::Pod, "env");
    let inside = command
        .arg("-0")
        .env("NOT_FOR_THE_POD", "1")
        .output()
        .unwrap()
        .stdout;
    let sorted = |bytes: &[u8]| {
        let mut entries: Vec<Vec<u8>> =
            bytes.split(|&byte| byte == 0).map(<[u8]>::to_vec).collect();
        entries.sort();
        entries
    };
    assert_eq!(sorted(&inside), sorted(&target));
    assert!(sorted(&target).contains(&b"LATIN1=caf\xe9".to_vec()));
    assert!(sorted(&target).contains(&b"EMPTY=".to_vec()));
}

fn names_are_resolved(sandbox: &Sandbox) {
    let resolved = shell(sandbox, "getent ahostsv4 orders | head -1");
    assert_eq!(resolved.split_whitespace().next(), Some("10.77.2.2"));
    if sandbox.info().ipv6 {
        let resolved = shell(
            sandbox,
            "getent ahostsv6 orders.shop.svc.cluster.local | head -1",
        );
        assert_eq!(resolved.split_whitespace().next(), Some("fd77:2::2"));
    }
    assert_eq!(
        shell(sandbox, "getent ahostsv4 many | grep -c STREAM"),
        "40\n",
        "this answer needs TCP"
    );
    assert_eq!(
        shell(sandbox, "getent ahosts nobody.example.com; echo $?"),
        "2\n"
    );
    assert_eq!(
        shell(sandbox, "getent hosts legacy-orders")
            .split_whitespace()
            .next(),
        Some("10.77.2.2")
    );
}

fn the_service_answers_the_pod_only(sandbox: &Sandbox) {
    let echo = "exec 3<>/dev/PROTOCOL/orders/7000; echo ping >&3; head -n1 <&3";
    assert_eq!(shell(sandbox, &echo.replace("PROTOCOL", "tcp")), "ping\n");
    assert_eq!(shell(sandbox, &echo.replace("PROTOCOL", "udp")), "ping\n");
    let mut service: Vec<SocketAddr> = vec![(SERVICE_V4, SERVICE_HTTP_PORT).into()];
    let mut nowhere: Vec<SocketAddr> = vec![(BLACK_HOLE_V4, 80).into()];
    if sandbox.info().ipv6 {
        service.push((SERVICE_V6, SERVICE_HTTP_PORT).into());
        nowhere.push((BLACK_HOLE_V6, 80).into());
    }
    for address in service {
        let answer = sandbox
            .http_at(Place::Pod, &HttpCall::get(address, "/x"))
            .unwrap();
        assert!(
            answer.text().starts_with("pod: orders of shop-pod\n"),
            "{}",
            answer.text()
        );
        let error = sandbox
            .client_http(&HttpCall::get(address, "/x"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("Network is unreachable"),
            "the client must not reach the service: {error}"
        );
        let closed = SocketAddr::new(address.ip(), REFUSED_PORT);
        let error = sandbox
            .http_at(Place::Pod, &HttpCall::get(closed, "/"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("Connection refused"), "{error}");
    }
    for address in nowhere {
        let call = HttpCall {
            limit_ms: 200,
            ..HttpCall::get(address, "/")
        };
        let error = sandbox.http_at(Place::Pod, &call).unwrap_err().to_string();
        assert!(error.contains("timed out"), "{error}");
    }
    let error = sandbox
        .http_at(Place::Pod, &HttpCall::get((NO_ROUTE_V4, 80), "/"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("Network is unreachable"), "{error}");
}

fn clients_reach_the_pod(sandbox: &Sandbox) {
    let mut addresses: Vec<SocketAddr> = vec![(POD_V4, WEB_PORT).into()];
    if sandbox.info().ipv6 {
        addresses.push((POD_V6, WEB_PORT).into());
    }
    for address in addresses {
        let call =
            HttpCall::post(address, "/orders?id=7", "body").header("Accept", "application/json");
        let answer = sandbox.client_http(&call).unwrap();
        let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(told["peer"], answer.local_address.to_string());
        assert!(
            [CLIENT_V4.to_string(), CLIENT_V6.to_string()]
                .contains(&answer.local_address.ip().to_string())
        );
        assert_eq!(told["local"], address.to_string());
        assert_eq!(
            (&told["pod"], &told["method"]),
            (&"shop-pod".into(), &"POST".into())
        );
        assert_eq!(
            (&told["path"], &told["bodyLength"]),
            (&"/orders?id=7".into(), &4.into())
        );
    }
    for loopback in ["127.0.0.1:8080", "[::1]:8080"] {
        let address: SocketAddr = loopback.parse().unwrap();
        if address.is_ipv4() || sandbox.info().ipv6 {
            let answer = sandbox
                .http_at(Place::Pod, &HttpCall::get(address, "/health"))
                .unwrap();
            assert_eq!(answer.text(), "ok\n");
        }
    }
    // The client keeps this machine's files and only leaves its network.
    let ours = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(
        output(
            sandbox,
            Place::Client,
            &["cat", "/proc/sys/kernel/hostname"]
        ),
        ours
    );
    let name = output(sandbox, Place::Client, &["readlink", "/proc/self/ns/net"]);
    assert_ne!(
        name,
        output(sandbox, Place::Agent, &["readlink", "/proc/self/ns/net"])
    );
    // An agent's place has the rights over the target's namespaces.
    let enter = format!(
        "nsenter --net=/proc/{}/ns/net readlink /proc/self/ns/net",
        sandbox.target_pid()
    );
    let pods = output(sandbox, Place::Agent, &["sh", "-c", &enter]);
    assert_eq!(
        pods,
        output(
            sandbox,
            Place::PodNetwork,
            &["readlink", "/proc/self/ns/net"]
        )
    );
}

#[test]
fn the_target_may_be_another_user() {
    if !is_root() {
        eprintln!("SKIPPED: this needs root");
        return;
    }
    let home = Home::new();
    for isolation in [Isolation::Plain, Isolation::UserNamespace] {
        let mut spec = SandboxSpec::new("pod");
        spec.isolation = isolation;
        spec.run_as = Some(RunAs {
            uid: 1001,
            gid: 1001,
            groups: vec![2001, 3001],
        });
        let sandbox = DownOnDrop::up(&home.sandboxes, &spec).unwrap();
        assert_eq!(
            shell(&sandbox, "id -u; id -g; id -G"),
            "1001\n1001\n1001 2001 3001\n"
        );
        assert_eq!(
            shell(
                &sandbox,
                "cat /data/modes/of-1001 /data/modes/of-group-2001"
            ),
            "private\nprivate\n"
        );
        assert_eq!(
            shell(
                &sandbox,
                "cat /data/modes/nobody-may 2>/dev/null || echo no"
            ),
            "no\n"
        );
        assert_eq!(
            shell(&sandbox, "ls /data/modes/closed 2>/dev/null || echo no"),
            "no\n"
        );
        assert_eq!(
            shell(&sandbox, "cat /data/modes/not-listed/inside"),
            "inside\n"
        );
        assert_eq!(
            shell(&sandbox, "grep CapEff /proc/self/status").trim(),
            "CapEff:\t0000000000000000"
        );
    }
    home.assert_empty();
}

#[test]
fn wishes_are_fulfilled() {
    let home = Home::new();
    let brought = tempfile::tempdir().unwrap();
    std::fs::write(brought.path().join("program"), "#!/bin/sh\necho brought\n").unwrap();
    let mut spec = SandboxSpec::new("wishes")
        .env("MORE", "one\ntwo")
        .bind(brought.path())
        .file("/srv/a/b", "content");
    spec.binds.push(mirrord_sandbox::Bind {
        host: brought.path().join("program"),
        pod: "/opt/renamed".into(),
        writable: false,
    });
    spec.dns
        .push(("billing.example.com".into(), vec![[10, 77, 2, 2].into()]));
    spec.huge_directory = 1500;
    let sandbox = DownOnDrop::up(&home.sandboxes, &spec).unwrap();
    assert_eq!(shell(&sandbox, "echo \"$MORE\""), "one\ntwo\n");
    assert_eq!(shell(&sandbox, "cat /srv/a/b"), "content");
    assert_eq!(shell(&sandbox, "sh /opt/renamed"), "brought\n");
    assert_eq!(
        shell(
            &sandbox,
            &format!("sh {}/program", brought.path().display())
        ),
        "brought\n"
    );
    assert_eq!(
        shell(&sandbox, "echo x 2>/dev/null > /opt/renamed || echo no"),
        "no\n"
    );
    assert_eq!(shell(&sandbox, "ls /data/huge | wc -l"), "1500\n");
    assert!(shell(&sandbox, "getent hosts billing.example.com").starts_with("10.77.2.2 "));
}

#[test]
fn another_user_is_refused_without_root() {
    if is_root() {
        return again_as_ordinary_user("pod::another_user_is_refused_without_root");
    }
    let home = Home::new();
    let mut spec = SandboxSpec::new("pod");
    spec.run_as = Some(RunAs {
        uid: 1001,
        gid: 1001,
        groups: vec![],
    });
    let error = home.sandboxes.up(&spec).unwrap_err().to_string();
    assert!(
        error.contains("user 1001") && error.contains("without root"),
        "{error}"
    );
    home.assert_empty();
}

#[test]
fn programs_at_the_services_side_share_its_network() {
    let home = Home::new();
    let sandbox = DownOnDrop::up(&home.sandboxes, &SandboxSpec::new("pod")).unwrap();
    let own = "exec 3<>/dev/tcp/10.77.2.2/7000; echo mine >&3; head -n1 <&3";
    assert_eq!(
        output(&sandbox, Place::Service, &["bash", "-c", own]),
        "mine\n"
    );
    let answer = sandbox
        .http_at(
            Place::Service,
            &HttpCall::get((POD_TO_SERVICE_V4, WEB_PORT), "/health"),
        )
        .unwrap();
    assert_eq!(answer.text(), "ok\n");
}
