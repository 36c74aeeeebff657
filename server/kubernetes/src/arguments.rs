//! The agent's command line. Whoever can read pods sees it: the key is public, and nothing else is
//! secret.

use crate::resolve::Found;
use crate::terms::AgentTerms;
use crate::{Container, Form};

/// An agent that nobody calls (whoever started it was killed) ends by itself after that many
/// seconds.
const FIRST_CALL: u64 = 60;

/// For an agent that shares the node's process ids, and finds the container among them.
pub(crate) fn on_node(container: &Container, terms: &AgentTerms) -> Vec<String> {
    let target = ["--target-container".to_owned(), container.id.clone()];
    let target = target.into_iter().chain(common(terms));
    target.chain(probes(container)).collect()
}

fn common(terms: &AgentTerms) -> Vec<String> {
    let settings = &terms.settings;
    let first_call = settings.communication_timeout.unwrap_or(FIRST_CALL) * 1000;
    [
        // Only the node's kubelet, which forwards ports, reaches its loopback address.
        "--listen",
        "tcp:127.0.0.1:0",
        "--session-key",
        &terms.session_key,
        "--grace-ms",
        &terms.grace.as_millis().to_string(),
        "--first-call-ms",
        &first_call.to_string(),
        "--log",
        &settings.log_level,
    ]
    .map(str::to_owned)
    .into()
}

/// For an agent in the target's pod. Its process ids are those of the target's container, whose
/// first process is the target, unless the whole pod (or node) shares them.
pub(crate) fn in_pod(found: &Found, form: Form, terms: &AgentTerms) -> Vec<String> {
    let spec = found.pod.spec.as_ref();
    let shared = spec.is_some_and(|spec| {
        spec.share_process_namespace == Some(true) || spec.host_pid == Some(true)
    });
    let target = match shared {
        true => ["--target-container".to_owned(), found.container.id.clone()],
        false => ["--target-pid".to_owned(), "1".to_owned()],
    };
    let restricted = (form == Form::Restricted).then(|| "--as-target".to_owned());
    let target = target.into_iter().chain(restricted);
    let target = target.chain(common(terms));
    target.chain(probes(&found.container)).collect()
}

/// For an agent that is its own target.
pub(crate) fn alone(terms: &AgentTerms) -> Vec<String> {
    let alone = ["--targetless".to_owned()];
    alone.into_iter().chain(common(terms)).collect()
}

/// What goes on being answered by the pod's own program.
fn probes(container: &Container) -> Vec<String> {
    let mut arguments = Vec::new();
    if !container.probe_commands.is_empty() {
        let commands = serde_json::json!(container.probe_commands).to_string();
        arguments.extend(["--probe-commands".to_owned(), literally(&commands)]);
    }
    if !container.probe_ports.is_empty() {
        let ports = container.probe_ports.iter().map(u16::to_string);
        let ports = ports.collect::<Vec<_>>().join(",");
        arguments.extend(["--probe-ports".to_owned(), ports]);
    }
    arguments
}

/// Kubernetes puts variables into a container's arguments where it reads `$(NAME)`; `$$` is a plain
/// dollar (`Container.args` of its API).
fn literally(argument: &str) -> String {
    argument.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_probes_program_comes_to_the_agent_as_it_is() {
        let mut container = crate::tests::container();
        container.probe_ports = Vec::new();
        assert_eq!(super::probes(&container), Vec::<String>::new());
        let script = "test \"$(cat /tmp/well)\" = $$";
        container.probe_commands = vec![vec!["sh".into(), "-c".into(), script.into()]];
        let wanted = r#"[["sh","-c","test \"$$(cat /tmp/well)\" = $$$$"]]"#;
        assert_eq!(super::probes(&container), ["--probe-commands", wanted]);
    }
}
