//! `mirrord-server rbac`: the least role for sessions in a cluster.

use std::io::Write;

use anyhow::{Context, Result};
use mirrord_kubernetes::rbac::{self, Purpose};
use mirrord_kubernetes::{Form, Kind};

use crate::cli::Rbac;

/// Prints it.
pub fn run(arguments: Rbac) -> Result<i32> {
    let text = roles(arguments);
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("could not print the role")?;
    Ok(0)
}

fn roles(arguments: Rbac) -> String {
    let forms = match arguments.forms.is_empty() {
        true => Form::ALL.into(),
        false => arguments.forms,
    };
    let kinds = match arguments.targets.is_empty() {
        true => Kind::ALL.into(),
        false => arguments.targets,
    };
    let whole = Purpose {
        name: arguments.name,
        namespace: arguments.namespace,
        forms,
        kinds,
        replicas: arguments.replicas.is_some(),
    };
    let Some(elsewhere) = arguments.agent_namespace else {
        return rbac::role(&whole);
    };
    // A container in the target's pod is where the target is; pods of the agent's own are elsewhere.
    let (in_pod, apart) = whole
        .forms
        .iter()
        .partition(|form| form.is_in_the_targets_pod());
    let agents = Purpose {
        namespace: Some(elsewhere),
        forms: apart,
        kinds: Vec::new(),
        replicas: false,
        ..whole.clone()
    };
    let targets = Purpose {
        forms: in_pod,
        ..whole
    };
    format!("{}---\n{}", rbac::role(&targets), rbac::role(&agents))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_in_a_namespace_of_their_own_have_a_role_there() {
        let text = roles(Rbac {
            forms: vec![Form::Job],
            targets: vec![Kind::Deployment],
            namespace: Some("shop".into()),
            agent_namespace: Some("tools".into()),
            name: "developer".into(),
            replicas: None,
        });
        let (targets, agents) = text.split_once("---\n").unwrap();
        assert!(targets.contains("namespace: shop") && agents.contains("namespace: tools"));
        assert!(targets.contains("deployments") && !targets.contains("[jobs]"));
        assert!(agents.contains("[jobs]") && !agents.contains("deployments"));
        // Pods of labels are found there.
        assert!(
            targets.contains("resources: [pods], verbs: [get, list]"),
            "{targets}"
        );
    }
}
