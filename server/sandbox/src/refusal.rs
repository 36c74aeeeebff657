//! Turns a refused namespace into one sentence with the way out, from the switches that
//! distributions have for it.

use std::fs;

/// Why this machine refuses user namespaces to this user, as far as its switches tell.
pub(crate) fn of_user_namespaces(error: &dyn std::fmt::Display) -> String {
    explain(error, |path| fs::read_to_string(path).ok())
}

fn explain(error: &dyn std::fmt::Display, read: impl Fn(&str) -> Option<String>) -> String {
    let is = |path: &str, value: &str| read(path).is_some_and(|text| text.trim() == value);
    let because = if is("/proc/sys/user/max_user_namespaces", "0") {
        "user.max_user_namespaces is 0; set it with `sudo sysctl user.max_user_namespaces=10000`"
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "kernel.unprivileged_userns_clone is 0; set it with `sudo sysctl kernel.unprivileged_userns_clone=1`"
    } else if is(
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
    ) {
        "AppArmor restricts them; allow them with \
         `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
    } else if read("/.dockerenv").is_none() {
        "none of the usual switches is set, so a security module or a limit of namespaces forbids them"
    } else {
        "this is a container whose seccomp profile forbids them; start it with \
         `--security-opt seccomp=unconfined` or `--privileged`"
    };
    format!(
        "this machine allows no user namespace here ({error}): {because}. Or start the sandbox as root"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_is_named_with_its_command() {
        for (path, value, said) in [
            (
                "/proc/sys/user/max_user_namespaces",
                "0\n",
                "sysctl user.max_user_namespaces=10000",
            ),
            (
                "/proc/sys/kernel/unprivileged_userns_clone",
                "0\n",
                "sysctl kernel.unprivileged_userns_clone=1",
            ),
            (
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
                "1\n",
                "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            ("/.dockerenv", "", "seccomp=unconfined"),
        ] {
            let text = explain(&"EPERM", |asked| (asked == path).then(|| value.to_owned()));
            assert!(
                text.contains(said) && text.contains("as root") && text.contains("EPERM"),
                "{text}"
            );
        }
    }

    #[test]
    fn switches_that_allow_them_are_not_blamed() {
        let text = explain(&"EPERM", |path| {
            path.starts_with("/proc/sys").then(|| "65536".to_owned())
        });
        assert!(text.contains("none of the usual switches"), "{text}");
    }
}
