//! Whose environment decides how a cluster is reached: kubeconfigs, helpers that log in, proxies.
//! The daemon serves clients with environments of their own; its own must not matter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The variables of whoever asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    is_own: bool,
}

impl Environment {
    /// This process's.
    pub fn own() -> Environment {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Environment {
            variables: std::env::vars_os().filter_map(text).collect(),
            is_own: true,
        }
    }

    /// Somebody else's.
    pub fn of(variables: BTreeMap<String, String>) -> Environment {
        Environment {
            variables,
            is_own: false,
        }
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// All of them.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// Whether it is that of this process, with its terminal.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    /// The kubeconfigs that it names, in their order; kubectl's default otherwise. None without a
    /// home folder.
    pub fn kubeconfigs(&self) -> Vec<PathBuf> {
        let named = self.get("KUBECONFIG").map(std::env::split_paths);
        let named: Vec<PathBuf> = named
            .into_iter()
            .flatten()
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        if !named.is_empty() {
            return named;
        }
        let home = self.get("HOME").map(Path::new);
        home.map(|home| home.join(".kube/config"))
            .into_iter()
            .collect()
    }

    /// The executable of this name, by `PATH`; a name with a slash is a path.
    pub fn executable(&self, name: &str) -> Option<PathBuf> {
        if name.contains('/') {
            return is_executable(Path::new(name)).then(|| name.into());
        }
        std::env::split_paths(self.get("PATH")?)
            .map(|folder| folder.join(name))
            .find(|path| is_executable(path))
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let pairs = pairs.iter();
        Environment::of(
            pairs
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
        )
    }

    #[test]
    fn kubeconfigs_are_found_as_kubectl_finds_them() {
        let home = environment(&[("HOME", "/home/a"), ("KUBECONFIG", "")]);
        assert_eq!(home.kubeconfigs(), [PathBuf::from("/home/a/.kube/config")]);
        let two = environment(&[("HOME", "/home/a"), ("KUBECONFIG", "/x::/y")]);
        assert_eq!(
            two.kubeconfigs(),
            [PathBuf::from("/x"), PathBuf::from("/y")]
        );
        assert!(environment(&[]).kubeconfigs().is_empty());
    }

    #[test]
    fn executables_are_found_by_this_environment_alone() {
        assert_eq!(
            environment(&[("PATH", "/nowhere:/bin")]).executable("sh"),
            Some("/bin/sh".into())
        );
        assert_eq!(environment(&[("PATH", "/nowhere")]).executable("sh"), None);
        assert_eq!(environment(&[]).executable("sh"), None);
        let by_path = environment(&[]).executable("/bin/sh");
        assert_eq!(by_path, Some("/bin/sh".into()));
        assert_eq!(environment(&[]).executable("/etc/passwd"), None);
    }
}
