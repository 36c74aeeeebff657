//! Which ports the kubelet asks a pod at.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, LifecycleHandler, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// The ports of all probes (HTTP, gRPC, TCP) and lifecycle calls (HTTP) of a pod's containers: they
/// have one network, so whoever takes a port takes the probes of all. Those that name another host
/// do not come to the pod.
pub(super) fn ports(pod: &Pod) -> Vec<u16> {
    let mut ports = BTreeSet::new();
    let Some(spec) = &pod.spec else {
        return Vec::new();
    };
    // Sidecars are init containers, and have probes too.
    for container in spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten())
    {
        let probes = [
            &container.liveness_probe,
            &container.readiness_probe,
            &container.startup_probe,
        ];
        for probe in probes.into_iter().flatten() {
            ports.extend(of_probe(container, probe));
        }
        let lifecycle = container.lifecycle.as_ref();
        let handlers = lifecycle.map(|found| [&found.post_start, &found.pre_stop]);
        for handler in handlers.into_iter().flatten().flatten() {
            ports.extend(of_handler(container, handler));
        }
    }
    ports.into_iter().collect()
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
                    "lifecycle": {"preStop": {"httpGet": {"port": 8081}}},
                },
                {
                    "name": "other",
                    "livenessProbe": {"httpGet": {"port": 1, "host": "elsewhere"}},
                    "readinessProbe": {"httpGet": {"port": "unknown"}},
                },
            ],
        }}))
        .unwrap();
        assert_eq!(ports(&pod), [9, 8080, 8081, 50051]);
    }
}
