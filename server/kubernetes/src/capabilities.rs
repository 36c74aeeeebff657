//! Which capabilities an agent gets (capabilities(7)): those that the wanted features need, and no
//! others.

use crate::terms::{AgentSettings, Needs};

/// Where an agent works, which decides what it must be allowed to enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// On the node, outside the target's namespaces.
    Node,
    /// Inside the target's pod.
    Pod,
}

/// The capabilities that an agent asks for.
pub fn of(place: Where, needs: &Needs, settings: &AgentSettings) -> Vec<&'static str> {
    let mut wanted = wanted(place, needs);
    wanted.retain(|name| !is_disabled(name, settings));
    wanted
}

/// Those that it would ask for, had the user not disabled them.
pub fn taken(place: Where, needs: &Needs, settings: &AgentSettings) -> Vec<&'static str> {
    let mut wanted = wanted(place, needs);
    wanted.retain(|name| is_disabled(name, settings));
    wanted
}

fn is_disabled(name: &str, settings: &AgentSettings) -> bool {
    let disabled = &settings.disabled_capabilities;
    disabled.iter().any(|other| other == name)
}

fn wanted(place: Where, needs: &Needs) -> Vec<&'static str> {
    // /proc/PID/root, /proc/PID/environ and /proc/PID/ns of the target.
    // The environment is the target's user's alone, and read as that user.
    let mut wanted = vec!["SYS_PTRACE", "SETUID"];
    if place == Where::Node {
        // setns(2) into the target's network namespace.
        wanted.push("SYS_ADMIN");
    }
    if needs.files {
        // Files are opened as the target's own user, with its groups; and where that is root, with
        // what container runtimes give root for files, as far as the target has it: without, it could
        // not read through us what another user keeps to itself, and inside the pod it can.
        wanted.extend(["SETGID", "DAC_OVERRIDE", "FOWNER", "CHOWN", "FSETID"]);
    }
    if needs.incoming {
        // bpf(2) and netlink for the target's incoming traffic; copies of packets, to mirror; ports
        // below 1024.
        wanted.extend(["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE"]);
        if place == Where::Pod {
            // SYS_ADMIN has it among others.
            wanted.push("BPF");
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_that_are_off_cost_no_capability() {
        let settings = AgentSettings::default();
        let mut needs = Needs::default();
        assert_eq!(
            of(Where::Node, &needs, &settings),
            ["SYS_PTRACE", "SETUID", "SYS_ADMIN"]
        );
        assert_eq!(of(Where::Pod, &needs, &settings), ["SYS_PTRACE", "SETUID"]);
        needs.files = true;
        assert_eq!(
            of(Where::Pod, &needs, &settings),
            [
                "SYS_PTRACE",
                "SETUID",
                "SETGID",
                "DAC_OVERRIDE",
                "FOWNER",
                "CHOWN",
                "FSETID"
            ]
        );
        needs.incoming = true;
        assert!(of(Where::Pod, &needs, &settings).contains(&"BPF"));
        assert_eq!(of(Where::Node, &needs, &settings).len(), 11);
    }

    #[test]
    fn what_the_user_disables_is_not_asked_for() {
        let settings = AgentSettings {
            disabled_capabilities: vec!["NET_RAW".into()],
            ..AgentSettings::default()
        };
        let needs = Needs {
            incoming: true,
            ..Needs::default()
        };
        let given = of(Where::Node, &needs, &settings);
        assert!(!given.contains(&"NET_RAW") && given.contains(&"NET_ADMIN"));
        assert_eq!(taken(Where::Node, &needs, &settings), ["NET_RAW"]);
        assert_eq!(taken(Where::Node, &Needs::default(), &settings), [""; 0]);
    }
}
