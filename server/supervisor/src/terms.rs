//! The terms on which programs that somebody else starts (a debugger, a terminal) may join.
//!
//! The session makes them; the launch's environment carries the token, and nothing of the pod.
//! Who shows the token gets the changes to its environment as a sealed memory file.

use std::{io, os::fd::OwnedFd};

use mirrord_filter::environment::{self, SET, UNSET};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use serde::{Deserialize, Serialize};

pub use mirrord_filter::environment::Token;

/// What a launch is given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchTerms {
    /// What a program must show; as hexadecimal text in `MIRRORD_LAUNCH_TOKEN`.
    pub token: [u8; Token::LEN],
    /// Variables that it gets, over its own.
    pub set: Vec<(Vec<u8>, Vec<u8>)>,
    /// Names of variables that it loses, in any case of letters.
    pub unset: Vec<Vec<u8>>,
    /// The layer's path, which stays first in `LD_PRELOAD` whatever the pod has there.
    pub layer: Vec<u8>,
}

impl std::fmt::Debug for LaunchTerms {
    // Neither the token nor the pod's values belong into a log.
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (set, unset) = (self.set.len(), self.unset.len());
        write!(to, "LaunchTerms {{ {set} set, {unset} unset, … }}")
    }
}

impl LaunchTerms {
    /// The token's text for the environment.
    pub fn token_text(&self) -> String {
        self.token
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The changes as [`mirrord_filter::environment`] reads them. Variables that could not be put
    /// into an environment (execve(2) has no way for them) and our own are left out.
    fn block(&self) -> Vec<u8> {
        const PRELOAD: &[u8] = b"LD_PRELOAD";
        let ours = [environment::SUPERVISOR, environment::TOKEN].map(|name| name.to_bytes());
        let fits = |bytes: &[u8]| !bytes.contains(&0);
        let mut block = Vec::new();
        let mut add = |kind: u8, parts: &[&[u8]]| {
            block.push(kind);
            parts.iter().for_each(|part| block.extend_from_slice(part));
            block.push(0);
        };
        for name in self.unset.iter().filter(|name| fits(name)) {
            // Without the layer the program's children would be slow.
            match environment::same_name(PRELOAD, name) {
                true => add(SET, &[PRELOAD, b"=", &self.layer]),
                false => add(UNSET, &[name]),
            }
        }
        for (name, value) in &self.set {
            let named = !name.is_empty() && fits(name) && !name.contains(&b'=');
            if !named || !fits(value) || ours.contains(&name.as_slice()) {
                continue;
            }
            match name == PRELOAD && !value.is_empty() {
                true => add(SET, &[name, b"=", &self.layer, b":", value]),
                false if name == PRELOAD => add(SET, &[name, b"=", &self.layer]),
                false => add(SET, &[name, b"=", value]),
            }
        }
        block
    }
}

/// The terms as the supervisor's processes hold them.
pub(crate) struct Launch {
    pub token: Token,
    pub changes: OwnedFd,
}

impl Launch {
    /// Puts the changes into a memory file that nobody can change.
    pub fn new(terms: &LaunchTerms) -> io::Result<Launch> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let changes = memfd_create("mirrord-environment", flags)?;
        let mut rest = &terms.block()[..];
        while !rest.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(&changes, rest))?;
            rest = rest.get(written..).unwrap_or_default();
        }
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&changes, seals)?;
        let token = Token(terms.token);
        Ok(Launch { token, changes })
    }
}

#[cfg(test)]
mod tests {
    use mirrord_filter::environment::Changes;

    use super::*;

    fn terms(set: &[(&str, &str)], unset: &[&str]) -> LaunchTerms {
        let bytes = |text: &&str| text.as_bytes().to_vec();
        LaunchTerms {
            token: [7; Token::LEN],
            set: set.iter().map(|(n, v)| (bytes(n), bytes(v))).collect(),
            unset: unset.iter().map(bytes).collect(),
            layer: b"/layer.so".to_vec(),
        }
    }

    fn applied(terms: &LaunchTerms, own: &[&str]) -> String {
        let (block, mut all) = (terms.block(), Vec::new());
        let own = own.iter().map(|entry| entry.as_bytes());
        Changes::new(&block).apply(own, |entry| all.push(String::from_utf8_lossy(entry)));
        all.join(" ")
    }

    #[test]
    fn the_layer_stays_whatever_the_pod_preloads() {
        let own = ["LD_PRELOAD=/layer.so:/own.so"];
        assert_eq!(applied(&terms(&[], &[]), &own), own[0]);
        let pod = terms(&[("LD_PRELOAD", "/pod.so")], &[]);
        assert_eq!(applied(&pod, &own), "LD_PRELOAD=/layer.so:/pod.so");
        let none = terms(&[], &["ld_preload"]);
        assert_eq!(applied(&none, &own), "LD_PRELOAD=/layer.so");
        let empty = terms(&[("LD_PRELOAD", "")], &[]);
        assert_eq!(applied(&empty, &own), "LD_PRELOAD=/layer.so");
    }

    #[test]
    fn what_no_environment_can_hold_is_left_out() {
        let set = [
            ("A=B", "1"),
            ("", "1"),
            ("N", "a\0b"),
            ("MIRRORD_SUPERVISOR", "/pod"),
            ("A", ""),
        ];
        assert_eq!(
            applied(&terms(&set, &["x\0y"]), &["MIRRORD_SUPERVISOR=/s"]),
            "MIRRORD_SUPERVISOR=/s A="
        );
    }

    #[test]
    fn a_log_shows_no_values() {
        let shown = format!("{:?}", terms(&[("SECRET", "value")], &[]));
        assert_eq!(shown, "LaunchTerms { 1 set, 0 unset, … }");
    }
}
