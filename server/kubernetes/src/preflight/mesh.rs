//! Signs of a mesh in the target's pod, and what that means for a program here.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// Sidecars by the names that their injectors give them.
const SIDECARS: [(&str, &str); 4] = [
    ("istio-proxy", "istio"),
    ("linkerd-proxy", "linkerd"),
    ("kuma-sidecar", "kuma"),
    ("consul-dataplane", "consul"),
];

/// What the user should know, if the pod is in a mesh.
pub(super) fn sentence(pod: &Pod) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    // Newer injectors make them init containers that stay.
    let added = spec.init_containers.iter().flatten();
    let mut names = spec.containers.iter().chain(added);
    let sidecar = names.find_map(|container| {
        let known = SIDECARS.iter().find(|(name, _)| *name == container.name)?;
        Some(known.1)
    });
    if let Some(mesh) = sidecar {
        return Some(format!(
            "the pod is in a mesh ({mesh}): its sidecar answers the clients and calls the program, so \
             their addresses are the sidecar's, and what the program calls goes out as the mesh says"
        ));
    }
    // ztunnel on the node does the same for a whole pod (istio's ambient mode).
    let ambient = pod.annotations().get("ambient.istio.io/redirection");
    (ambient.map(String::as_str) == Some("enabled")).then(|| {
        "the pod is in a mesh (istio, ambient): what the program calls goes out as the mesh says"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn meshes_are_known_by_their_sidecars_and_marks() {
        let pod = |spec, annotations| -> Pod {
            serde_json::from_value(json!({"metadata": {"annotations": annotations}, "spec": spec}))
                .unwrap()
        };
        let app = json!({"name": "app"});
        for (spec, annotations, words) in [
            (json!({"containers": [app]}), json!({}), None),
            (
                json!({"containers": [app, {"name": "linkerd-proxy"}]}),
                json!({}),
                Some("(linkerd)"),
            ),
            (
                json!({"containers": [app], "initContainers": [{"name": "istio-proxy"}]}),
                json!({}),
                Some("(istio)"),
            ),
            (
                json!({"containers": [app]}),
                json!({"ambient.istio.io/redirection": "enabled"}),
                Some("ambient"),
            ),
        ] {
            let said = sentence(&pod(spec, annotations));
            match words {
                None => assert_eq!(said, None),
                Some(words) => assert!(said.unwrap().contains(words), "{words}"),
            }
        }
    }
}
