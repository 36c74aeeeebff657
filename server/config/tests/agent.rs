//! `agent`: what it says is kept, and what a cluster would refuse is told with its place.

use std::path::Path;

use mirrord_config::config::agent::{Image, PullPolicy};
use mirrord_config::{Code, Flags, Reading, Severity, read_in};

use self::common::surroundings;

mod common;

fn reading(text: &str, env: &[(&str, &str)]) -> Reading {
    let surroundings = surroundings(env);
    let text = Some((Path::new("m.yaml"), text));
    read_in(text, None, &Flags::default(), &surroundings)
}

#[test]
fn what_is_written_is_what_the_agent_gets() {
    let reading = reading(
        "agent:
  namespace: tools
  image: {registry: mine:5000/agent}
  image_pull_policy: Always
  image_pull_secrets: [{name: registry}]
  ephemeral: true
  startup_timeout: 20
  tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]
  resources: {limits: {cpu: 0.5, memory: 64Mi}, requests: {cpu: 1}}
  disabled_capabilities: [CAP_NET_RAW]
",
        &[("MIRRORD_AGENT_IMAGE_TAG", "7"), ("MIRRORD_AGENT_TTL", "9")],
    );
    assert!(reading.is_ok(), "{:?}", reading.problems);
    let agent = &reading.config.agent;
    assert_eq!(agent.namespace.value.as_deref(), Some("tools"));
    let image = agent.image.value.as_ref().map(|image| image.name("a/b:1"));
    assert_eq!(image.as_deref(), Some("mine:5000/agent:7"));
    assert_eq!(agent.image_pull_policy.value, PullPolicy::Always);
    assert_eq!(agent.image_pull_secrets.value.0[0]["name"], "registry");
    assert_eq!(agent.ephemeral.value, Some(true));
    assert_eq!(
        (agent.ttl.value, agent.startup_timeout.value),
        (Some(9), 20)
    );
    let tolerations = agent.tolerations.value.as_ref().map(|kind| &kind.0);
    assert_eq!(tolerations.unwrap()[0]["effect"], "NoSchedule");
    let limits = &agent.resources.limits.value.0;
    let limits: Vec<_> = limits
        .iter()
        .map(|(name, amount)| (&name[..], &amount.value[..]))
        .collect();
    assert_eq!(limits, [("cpu", "0.5"), ("memory", "64Mi")]);
    assert_eq!(agent.resources.requests.value.0[0].1.value, "1");
}

#[test]
fn a_variable_for_the_whole_image_wins_over_its_parts() {
    let env = [
        ("MIRRORD_AGENT_IMAGE", "a/b:1"),
        ("MIRRORD_AGENT_IMAGE_TAG", "7"),
    ];
    let config = reading("agent: {image: x}", &env).config;
    assert_eq!(config.agent.image.value, Some(Image::Whole("a/b:1".into())));
}

#[test]
fn what_a_cluster_would_refuse_is_told_with_its_place() {
    for (text, place, code, words) in [
        (
            "namespace: My_NS",
            "2:14",
            Code::UnknownValue,
            "no name in Kubernetes",
        ),
        ("ttl: 70000", "2:8", Code::OutOfRange, "0 to 65535"),
        ("startup_timeout: 0", "2:20", Code::OutOfRange, "1 to 65535"),
        (
            "communication_timeout: 0",
            "2:26",
            Code::OutOfRange,
            "1 to 65535",
        ),
        ("labels: {a/b/c: d}", "2:12", Code::UnknownValue, "no name"),
        (
            "labels: {a: 'b c'}",
            "2:15",
            Code::UnknownValue,
            "no value of a label",
        ),
        (
            "labels: {mirrord-server/session: x}",
            "2:12",
            Code::Conflict,
            "is ours",
        ),
        (
            "annotations: {'a b': c}",
            "2:17",
            Code::UnknownValue,
            "no name",
        ),
        (
            "disabled_capabilities: [net-raw]",
            "2:27",
            Code::UnknownValue,
            "no capability",
        ),
        (
            "resources: {limits: {memory: 64MB}}",
            "2:32",
            Code::UnknownValue,
            "no amount",
        ),
        (
            "tolerations: [{effect: NoSchedul}]",
            "2:26",
            Code::UnknownValue,
            "NoSchedule",
        ),
        ("tolerations: [{kee: a}]", "2:18", Code::UnknownKey, "kee"),
        ("image: {tagg: a}", "2:11", Code::UnknownKey, "tagg"),
        ("image: 7", "2:10", Code::WrongType, "text"),
        (
            "image_pull_policy: Sometimes",
            "2:22",
            Code::UnknownValue,
            "IfNotPresent",
        ),
        (
            "security_context: {seccomp_profile: {type: Localhost}}",
            "2:46",
            Code::Missing,
            "localhost_profile",
        ),
        (
            "security_context: {seccomp_profile: {localhost_profile: a}}",
            "2:59",
            Code::Conflict,
            "type `Localhost`",
        ),
    ] {
        let reading = reading(&format!("agent:\n  {text}\n"), &[]);
        let [problem] = &reading.problems[..] else {
            panic!("{text}: {:?}", reading.problems);
        };
        let found = problem.place.as_ref().map(ToString::to_string);
        assert_eq!(found, Some(format!("m.yaml:{place}")), "{text}");
        assert_eq!(
            (problem.severity, problem.code),
            (Severity::Error, code),
            "{text}"
        );
        assert!(
            problem.message.contains(words),
            "{text}: {}",
            problem.message
        );
    }
}

#[test]
fn what_only_a_pod_of_its_own_can_have_is_told_beside_ephemeral() {
    let text = "agent: {ephemeral: true, namespace: tools, ttl: 3, service_account: a}";
    let reading = reading(text, &[]);
    assert!(reading.is_ok());
    let codes: Vec<Code> = reading
        .problems
        .iter()
        .map(|problem| problem.code)
        .collect();
    assert_eq!(codes, [Code::NoEffect; 3], "{:?}", reading.problems);
}

#[test]
fn good_names_pass() {
    for text in [
        "labels: {app.example/part: web-1_a, plain: ''}",
        "annotations: {note: 'any text, of any length'}",
        "node_selector: {kubernetes.io/hostname: node2}",
        "image: ghcr.io/me/agent@sha256:00ff",
        "disabled_capabilities: [CAP_SYS_PTRACE, NET_RAW]",
        "security_context: {seccomp_profile: {type: Localhost, localhost_profile: a.json}}",
        "tolerations: []",
    ] {
        let reading = reading(&format!("agent:\n  {text}\n"), &[]);
        assert!(
            reading.problems.is_empty(),
            "{text}: {:?}",
            reading.problems
        );
    }
}

#[test]
fn all_replicas_are_those_of_a_workload_whose_clients_come_here() {
    let with = |target: &str, more: &str| {
        let text = format!("target: {target}\nagent: {{replicas: all}}\n{more}");
        reading(&text, &[]).problems
    };
    for (target, words) in [
        ("pod/web-1", "pod/web-1 is one pod"),
        ("pod/web-1/container/app", "is one pod"),
        ("container/db", "is one of this machine"),
        ("sandbox/default", "is one of this machine"),
        ("process/1", "is one of this machine"),
        ("targetless", "no pod at all"),
    ] {
        let problems = with(target, "");
        let [problem] = &problems[..] else {
            panic!("{target}: {problems:?}");
        };
        assert_eq!(
            (problem.severity, problem.code),
            (Severity::Error, Code::Conflict)
        );
        assert!(problem.message.contains(words), "{}", problem.message);
        let place = problem.place.as_ref().map(ToString::to_string);
        assert_eq!(place.as_deref(), Some("m.yaml:2:19"));
    }
    for target in [
        "deployment/web",
        "label/app=web",
        "service/web",
        "rollout/web",
    ] {
        assert!(with(target, "").is_empty(), "{target}");
    }
    let off = with(
        "deployment/web",
        "feature: {network: {incoming: {mode: 'off'}}}",
    );
    assert_eq!(off[0].code, Code::NoEffect, "{off:?}");
    let unknown = reading("agent: {replicas: two}", &[]).problems;
    assert!(unknown[0].message.contains("`one`, `all`"), "{unknown:?}");
}
