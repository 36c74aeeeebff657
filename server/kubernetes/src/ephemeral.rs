//! The agent as an ephemeral container in the target's pod: it shares the pod's network and the
//! target's process ids. Kubernetes keeps the entry of one that has ended; nothing in it is secret.

use k8s_openapi::api::core::v1::{PodSecurityContext, SecurityContext};
use serde_json::{Value as Json, json};

use crate::capabilities::{self, Where};
use crate::resolve::Found;
use crate::terms::AgentTerms;
use crate::{Form, arguments};

/// The change of the pod that puts the agent's container into it (a strategic merge patch of
/// `pods/ephemeralcontainers`, in which containers are known by their names).
pub fn patch(found: &Found, form: Form, terms: &AgentTerms) -> Json {
    let settings = &terms.settings;
    let security = match form {
        Form::Restricted => targets_own(found),
        _ => full(terms),
    };
    let mut security = security;
    if let (Json::Object(security), Json::Object(profiles)) = (&mut security, &settings.profiles) {
        security.extend(profiles.clone());
    }
    json!({"spec": {"ephemeralContainers": [{
        "name": terms.name(),
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "targetContainerName": found.container.name,
        "args": arguments::in_pod(found, form, terms),
        "securityContext": security,
    }]}})
}

fn full(terms: &AgentTerms) -> Json {
    let settings = &terms.settings;
    let mut security = json!({
        // Whatever the pod says for its own containers.
        "runAsUser": 0,
        "runAsGroup": 0,
        "runAsNonRoot": false,
        "readOnlyRootFilesystem": true,
        "privileged": settings.privileged,
        // The runtimes' own profiles let nobody use bpf(2) who has not SYS_ADMIN.
        "seccompProfile": {"type": "Unconfined"},
    });
    // A privileged container has them all, whatever stands there.
    if !settings.privileged {
        let add = capabilities::of(Where::Pod, &terms.needs, settings);
        security["capabilities"] = json!({"drop": ["ALL"], "add": add});
    }
    security
}

/// The same user and no more rights than the target: the kernel then lets the agent see the target's
/// files and environment (ptrace(2), "Ptrace access mode checking").
fn targets_own(found: &Found) -> Json {
    let target = security_of(found).cloned().unwrap_or_default();
    let user = User::of(found);
    let mut security = json!({
        "readOnlyRootFilesystem": true,
        "privileged": false,
        "allowPrivilegeEscalation": false,
    });
    for (key, value) in [
        ("runAsUser", json!(user.uid)),
        ("runAsGroup", json!(user.gid)),
        ("runAsNonRoot", json!(target.run_as_non_root)),
        ("capabilities", json!(target.capabilities)),
        ("seccompProfile", json!(target.seccomp_profile)),
        ("appArmorProfile", json!(target.app_armor_profile)),
    ] {
        if !value.is_null() {
            security[key] = value;
        }
    }
    security
}

/// As whom a container runs, as far as the cluster tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) uid: Option<i64>,
    pub(crate) gid: Option<i64>,
}

impl User {
    /// From the container's or the pod's specification, or from what the runtime reports (`user`
    /// of a container's status, Kubernetes 1.31). `None`: the image decides.
    pub(crate) fn of(found: &Found) -> User {
        let container = security_of(found);
        let pod = pod_security_of(found);
        let statuses = found.pod.status.as_ref();
        let statuses = statuses.and_then(|status| status.container_statuses.as_ref());
        let status = statuses.and_then(|statuses| {
            let mut statuses = statuses.iter();
            statuses.find(|status| status.name == found.container.name)
        });
        let reported = status
            .and_then(|status| status.user.as_ref())
            .and_then(|user| user.linux.as_ref());
        User {
            uid: container
                .and_then(|security| security.run_as_user)
                .or_else(|| pod.and_then(|security| security.run_as_user))
                .or_else(|| reported.map(|user| user.uid)),
            gid: container
                .and_then(|security| security.run_as_group)
                .or_else(|| pod.and_then(|security| security.run_as_group))
                .or_else(|| reported.map(|user| user.gid)),
        }
    }
}

/// The security context of the target's container.
pub(crate) fn security_of(found: &Found) -> Option<&SecurityContext> {
    let containers = &found.pod.spec.as_ref()?.containers;
    let container = containers
        .iter()
        .find(|container| container.name == found.container.name)?;
    container.security_context.as_ref()
}

/// The security context of the target's pod.
pub(crate) fn pod_security_of(found: &Found) -> Option<&PodSecurityContext> {
    found.pod.spec.as_ref()?.security_context.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{found, terms};

    fn container(found: &Found, form: Form) -> Json {
        patch(found, form, &terms())["spec"]["ephemeralContainers"][0].clone()
    }

    #[test]
    fn the_targets_process_is_the_first_one_there() {
        let container = container(&found(json!({})), Form::Ephemeral);
        assert_eq!(container["targetContainerName"], "app");
        assert_eq!(container["name"], "mirrord-agent-00ff");
        let arguments = container["args"].as_array().unwrap();
        assert_eq!(arguments[..2], [json!("--target-pid"), json!("1")]);
        assert_eq!(
            container["securityContext"]["capabilities"],
            json!({"drop": ["ALL"], "add": ["SYS_PTRACE", "SETUID"]})
        );
    }

    #[test]
    fn a_pod_that_shares_process_ids_has_another_first_process() {
        let mut found = found(json!({}));
        let spec = found.pod.spec.as_mut().unwrap();
        spec.share_process_namespace = Some(true);
        let container = container(&found, Form::Ephemeral);
        let arguments = container["args"].as_array().unwrap();
        assert_eq!(
            arguments[..2],
            [json!("--target-container"), json!("containerd://1f3a")]
        );
    }

    #[test]
    fn without_rights_of_its_own_it_has_the_targets() {
        let hardened = found(json!({
            "runAsUser": 1000,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }));
        let container = container(&hardened, Form::Restricted);
        let security = &container["securityContext"];
        assert_eq!(security["runAsUser"], 1000);
        assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
        assert_eq!(security["allowPrivilegeEscalation"], false);
        let arguments = container["args"].as_array().unwrap();
        assert!(arguments.contains(&json!("--as-target")), "{arguments:?}");
    }
}
