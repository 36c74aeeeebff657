//! The same program inside the pod and through us prints the same, in every language.

use mirrord_tests::data;
use mirrord_tests::differences::{allowed, assert_same};
use mirrord_tests::pod::Pod;
use mirrord_tests::{programs, run};

/// Files that every sandbox has: sizes, modes, links of all kinds, odd file types.
const FILES: &[&str] = &[
    "/data",
    "/data/does-not-exist",
    "/etc/app",
    "/etc/app/config.yaml",
    "/etc/hostname",
    "/var/run/secrets/kubernetes.io/serviceaccount",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "/var/run",
];

fn compare(
    pod: &Pod,
    program: &programs::Program,
    command: &str,
    arguments: &[&str],
    options: &[&str],
) {
    let all: Vec<&str> = std::iter::once(command)
        .chain(arguments.iter().copied())
        .collect();
    let inside = run::inside(pod, program, &all);
    let through_us = run::through_us(pod, options, program, &all);
    assert_same(program.name, command, &inside.stdout, &through_us.stdout);
    assert_eq!(
        inside.status, through_us.status,
        "{} {all:?}: {}",
        program.name, through_us.stderr
    );
}

macro_rules! languages {
    ($($test:ident => $program:literal),* $(,)?) => {$(
        mod $test {
            use super::*;

            #[test]
            fn sees_the_same_environment() {
                let pod = Pod::up("env");
                compare(&pod, programs::named($program), "env", &[], &[]);
            }

            #[test]
            fn sees_the_same_files() {
                let pod = Pod::up("files");
                let config = pod.runtime().join("files.json");
                // By default names below /etc and /run, and scripts, are this machine's.
                std::fs::write(&config, r#"{"feature": {"fs": {"read_only": ["^/etc/app(/|$)", "^/data(/|$)", "^/(var/)?run(/|$)"]}}}"#).unwrap();
                let mut data = data::names(&pod.path("/data"));
                if !$program.starts_with("c") {
                    // Reading a pipe that nobody writes to waits for ever, inside the pod as here.
                    data.retain(|path| path != "/data/pipe");
                }
                let files: Vec<&str> = FILES.iter().copied().chain(data.iter().map(String::as_str)).collect();
                let options = ["--config", config.to_str().unwrap()];
                compare(&pod, programs::named($program), "files", &files, &options);
            }

            #[test]
            fn writes_the_same() {
                let pod = Pod::up("write");
                let config = pod.runtime().join("write.json");
                std::fs::write(&config, r#"{"feature": {"fs": {"mode": "write"}}}"#).unwrap();
                let options = ["--config", config.to_str().unwrap()];
                let folder = "/data/written-by-tests";
                std::fs::create_dir(pod.path(folder)).unwrap();
                compare(&pod, programs::named($program), "write", &[folder], &options);
                let left = std::fs::read_dir(pod.path(folder)).unwrap().count();
                assert_eq!(left, 0, "both runs clean up after themselves, in the pod");
                std::fs::remove_dir(pod.path(folder)).unwrap();
            }

            #[test]
            fn resolves_the_same_names() {
                let pod = Pod::up("dns");
                let names = ["orders.shop.svc.cluster.local", "orders", "nowhere.shop.svc.cluster.local", "localhost"];
                compare(&pod, programs::named($program), "dns", &names, &[]);
            }

            #[test]
            fn reaches_the_same_services() {
                let pod = Pod::up("net");
                for (command, ip, port) in [
                    ("tcp", "10.77.2.2", "7000"),
                    ("tcp", "fd77:2::2", "7000"),
                    ("tcp", "10.77.2.2", "7999"),
                    ("tcp", "10.99.9.9", "80"),
                    ("udp", "10.77.2.2", "7000"),
                    ("udp", "fd77:2::2", "7000"),
                ] {
                    if $program == "shell" && (command == "udp" || port == "7000") {
                        // curl speaks neither; it has its own call below.
                        continue;
                    }
                    compare(&pod, programs::named($program), command, &[ip, port], &[]);
                }
                if $program == "shell" {
                    compare(&pod, programs::named($program), "tcp", &["10.77.2.2", "80"], &[]);
                }
                if $program != "c" && $program != "c-static" && $program != "c-musl" {
                    compare(&pod, programs::named($program), "tcp", &["10.77.9.9", "80"], &[]);
                } else {
                    for (ip, port) in [("10.77.2.2", "7000"), ("10.77.2.2", "7999"), ("10.77.9.9", "80")] {
                        compare(&pod, programs::named($program), "tcp-nonblocking", &[ip, port], &[]);
                    }
                }
            }
        }
    )*};
}

languages! {
    c_dynamic => "c",
    c_static => "c-static",
    c_musl => "c-musl",
    go_with_cgo => "go-cgo",
    go_static => "go-static",
    rust => "rust",
    python => "python",
    node => "node",
    java => "java",
    shell => "shell",
}

#[test]
fn messages_with_addresses_reach_the_same_services() {
    let pod = Pod::up("messages");
    for ip in ["10.77.2.2", "fd77:2::2", "::ffff:10.77.2.2"] {
        for program in ["c", "c-static", "c-musl", "go-cgo", "go-static", "python"] {
            let program = programs::named(program);
            compare(&pod, program, "messages", &[ip, "7000"], &[]);
        }
    }
}

#[test]
fn a_signal_each_millisecond_costs_no_message() {
    let pod = Pod::up("messages-with-timer");
    for program in ["c", "c-static", "c-musl"] {
        let program = programs::named(program);
        let arguments = ["10.77.2.2", "7000"];
        compare(&pod, program, "messages-with-timer", &arguments, &[]);
    }
}

#[test]
fn a_thread_that_waits_for_a_message_can_be_cancelled() {
    let pod = Pod::up("messages-cancelled");
    for program in ["c", "c-static", "c-musl"] {
        let program = programs::named(program);
        compare(&pod, program, "messages-cancelled", &[], &[]);
    }
}

#[test]
fn a_resolver_of_its_own_resolves_the_same_names() {
    let pod = Pod::up("resolve");
    let names = [
        "orders.shop.svc.cluster.local",
        "orders",
        "nowhere.shop.svc.cluster.local",
    ];
    compare(&pod, programs::named("node"), "resolve", &names, &[]);
}

/// The first server refuses, the second is silent; the answer is too long for a datagram.
#[test]
fn the_next_name_server_is_asked_and_long_answers_come_by_tcp() {
    let name = "many.shop.svc.cluster.local";
    let mut spec = mirrord_sandbox::SandboxSpec::new("servers").file(
        "/etc/resolv.conf",
        "nameserver 10.77.2.2\nnameserver 10.77.9.9\nnameserver 10.77.2.53\noptions timeout:1\n",
    );
    let addresses = (0..120).map(|last| std::net::Ipv4Addr::new(10, 77, 3, last).into());
    spec.dns.push((name.into(), addresses.collect()));
    let pod = Pod::with(spec);
    for (program, command) in [
        ("c", "dns"),
        ("go-static", "dns"),
        ("python", "dns"),
        ("node", "resolve"),
    ] {
        let inside = run::inside(&pod, programs::named(program), &[command, name]);
        assert!(inside.stdout.contains("10.77.3.119"), "{inside:?}");
        compare(&pod, programs::named(program), command, &[name], &[]);
    }
}

#[test]
fn every_allowed_difference_has_a_reason() {
    let list = allowed();
    assert!(!list.is_empty());
    for one in list {
        assert!(one.reason.len() > 20, "{:?} needs a reason", one.line);
        assert!(
            !one.line.is_empty() && one.line != ".*",
            "{one:?} would hide everything"
        );
    }
}
