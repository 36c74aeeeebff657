//! Which ports the kubelet asks a pod at.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, LifecycleHandler, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The ports of all probes (HTTP, gRPC, TCP) and lifecycle calls (HTTP) of a pod's containers: they
/// have one network, so whoever takes a port takes the probes of all. Those that name another host
/// do not come to the pod.
pub(super) fn ports(pod: &Pod) -> Vec<u16> {
    let probes = probes(pod).filter_map(|(container, probe)| of_probe(container, probe));
    let handlers = handlers(pod).filter_map(|(container, handler)| of_handler(container, handler));
    let ports: BTreeSet<u16> = probes.chain(handlers).collect();
    ports.into_iter().collect()
}

/// The arguments of all probes and lifecycle calls that are programs (`exec`) in a pod's containers.
pub(super) fn commands(pod: &Pod) -> Vec<Vec<String>> {
    let probes = probes(pod).filter_map(|(_, probe)| probe.exec.as_ref());
    let handlers = handlers(pod).filter_map(|(_, handler)| handler.exec.as_ref());
    let programs = probes.chain(handlers).map(|exec| exec.command.clone());
    let commands: BTreeSet<Vec<String>> = programs.map(Option::unwrap_or_default).collect();
    commands
        .into_iter()
        .filter(|command| !command.is_empty())
        .collect()
}

/// Sidecars are init containers, and have probes too.
fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.spec.iter().flat_map(|spec| {
        let init = spec.init_containers.iter().flatten();
        spec.containers.iter().chain(init)
    })
}

fn probes(pod: &Pod) -> impl Iterator<Item = (&Container, &Probe)> {
    containers(pod).flat_map(|container| {
        let probes = [
            &container.liveness_probe,
            &container.readiness_probe,
            &container.startup_probe,
        ];
        let probes = probes.into_iter().flatten();
        probes.map(move |probe| (container, probe))
    })
}

fn handlers(pod: &Pod) -> impl Iterator<Item = (&Container, &LifecycleHandler)> {
    containers(pod).flat_map(|container| {
        let handlers = container.lifecycle.iter();
        let handlers = handlers.flat_map(|found| [&found.post_start, &found.pre_stop]);
        handlers.flatten().map(move |handler| (container, handler))
    })
}

fn of_probe(container: &Container, probe: &Probe) -> Option<u16> {
    if let Some(http) = &probe.http_get {
        return here(&http.host).then(|| number(container, &http.port))?;
    }
    if let Some(tcp) = &probe.tcp_socket {
        return here(&tcp.host).then(|| number(container, &tcp.port))?;
    }
    let grpc = probe.grpc.as_ref()?;
    u16::try_from(grpc.port).ok()
}

fn of_handler(container: &Container, handler: &LifecycleHandler) -> Option<u16> {
    let http = handler.http_get.as_ref()?;
    here(&http.host).then(|| number(container, &http.port))?
}

fn here(host: &Option<String>) -> bool {
    host.as_deref().is_none_or(str::is_empty)
}

/// A port may be one of the container's, by name.
fn number(container: &Container, port: &IntOrString) -> Option<u16> {
    let number = match port {
        IntOrString::Int(number) => *number,
        IntOrString::String(name) => {
            let ports = container.ports.iter().flatten();
            let named = ports
                .filter(|port| port.name.as_ref() == Some(name))
                .map(|port| port.container_port)
                .next();
            // A number in quotes is one too.
            named.or_else(|| name.parse().ok())?
        }
    };
    u16::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_probe_names_its_port_and_names_are_looked_up() {
        let pod: Pod = serde_json::from_value(json!({"metadata": {}, "spec": {
            "initContainers": [{"name": "sidecar", "startupProbe": {"tcpSocket": {"port": 9}}}],
            "containers": [
                {
                    "name": "app",
                    "ports": [{"name": "web", "containerPort": 8080}],
                    "livenessProbe": {"httpGet": {"path": "/", "port": "web"}},
                    "readinessProbe": {"grpc": {"port": 50051}},
                    "startupProbe": {"exec": {"command": ["true"]}},
                    "lifecycle": {
                        "preStop": {"httpGet": {"port": 8081}},
                        "postStart": {"exec": {"command": ["sh", "-c", "curl localhost"]}},
                    },
                },
                {
                    "name": "other",
                    "livenessProbe": {"httpGet": {"port": 1, "host": "elsewhere"}},
                    "readinessProbe": {"httpGet": {"port": "unknown"}},
                    "startupProbe": {"exec": {"command": ["true"]}},
                },
            ],
        }}))
        .unwrap();
        assert_eq!(ports(&pod), [9, 8080, 8081, 50051]);
        let all = [vec!["sh", "-c", "curl localhost"], vec!["true"]];
        assert_eq!(commands(&pod), all);
    }
}
