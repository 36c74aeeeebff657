//! What works on this machine, for `mirrord-server doctor` and `mirrord/doctor`: each check looks
//! at the real thing, and says what to do about it.

pub mod cluster;
mod kernel;
mod parts;

use mirrord_editor_protocol::doctor::{Check, CheckStatus};

/// One check, by its own function.
pub struct CheckInfo {
    /// Looks.
    pub look: fn() -> Check,
    /// It takes no noticeable time and starts nothing.
    pub quick: bool,
}

/// All checks, in the order in which they are shown.
pub const CHECKS: &[CheckInfo] = &[
    quick(kernel::version),
    quick(kernel::seccomp_notify),
    quick(kernel::fuse),
    slow(kernel::user_namespaces),
    quick(kernel::bpf),
    quick(kernel::ptrace_scope),
    quick(parts::agent),
    slow(parts::layer),
    quick(parts::runtime_folder),
    quick(parts::leftovers),
];

const fn quick(look: fn() -> Check) -> CheckInfo {
    CheckInfo { look, quick: true }
}

const fn slow(look: fn() -> Check) -> CheckInfo {
    CheckInfo { look, quick: false }
}

/// What a check found.
fn found(
    id: &str,
    title: &str,
    status: CheckStatus,
    detail: impl Into<String>,
    fix: Option<&str>,
) -> Check {
    Check {
        id: id.to_owned(),
        title: title.to_owned(),
        status,
        detail: detail.into(),
        fix: fix.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_its_own_name_and_what_fails_says_what_to_do() {
        let checks: Vec<Check> = CHECKS.iter().map(|check| (check.look)()).collect();
        let mut names: Vec<&str> = checks.iter().map(|check| check.id.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), checks.len());
        for check in &checks {
            assert!(!check.detail.is_empty(), "{}", check.id);
            if check.status == CheckStatus::Fail {
                assert!(check.fix.is_some(), "{}", check.id);
            }
        }
    }
}
