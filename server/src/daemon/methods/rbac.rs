//! `mirrord/rbac`: the least role for sessions in a cluster. No cluster is asked.

use mirrord_editor_protocol::kube::{RbacParams, RbacResult};
use mirrord_kubernetes::rbac::{self, Purpose};
use mirrord_kubernetes::{Form, Kind};

use super::Outcome;
use crate::daemon::client::Client;
use crate::daemon::failure::Failure;

/// What can be asked of a session that takes no right of its own.
const FEATURES: [&str; 6] = ["steal", "mirror", "files", "env", "outgoing", "dns"];

/// Sessions over every pod of a workload.
const REPLICAS: &str = "replicas";

/// The least role. Without a form among the modes, for all of them.
pub async fn rbac(_: &Client, params: RbacParams) -> Outcome<RbacResult> {
    let mut forms = Vec::new();
    let mut replicas = false;
    for mode in &params.modes {
        match Form::named(mode) {
            Some(form) => forms.push(form),
            None if mode == REPLICAS => replicas = true,
            None if FEATURES.contains(&&mode[..]) => {}
            None => {
                let known = Form::ALL.map(Form::name).join(", ");
                let message = format!(
                    "{mode:?} is nothing that a role is for; there are {known}, {REPLICAS}, {}",
                    FEATURES.join(", ")
                );
                return Err(Failure::invalid(message));
            }
        }
    }
    if forms.is_empty() {
        forms = Form::ALL.into();
    }
    let purpose = Purpose {
        name: "mirrord-server".to_owned(),
        namespace: params.namespace,
        forms,
        kinds: Kind::ALL.into(),
        replicas,
    };
    let yaml = rbac::role(&purpose);
    Ok(RbacResult { yaml })
}
