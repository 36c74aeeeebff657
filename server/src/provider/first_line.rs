//! The line that an agent begins with: `mirrord-agent VERSION fingerprint HEX listening ENDPOINT`.

use anyhow::{Context, Result, bail};
use mirrord_link::{Endpoint, Fingerprint};

/// What lines begin with that come before it: each is a sentence for the user.
pub const NOTE: &str = "mirrord-note: ";

/// What a line begins with that says what is waited for: it is for now.
pub const WAITS: &str = "mirrord-waits: ";

/// What it says.
pub struct FirstLine<'a> {
    /// The agent's version.
    pub version: &'a str,
    /// The key that it proves itself with.
    pub fingerprint: Fingerprint,
    /// Where it listens.
    pub endpoint: Endpoint,
}

impl<'a> FirstLine<'a> {
    /// Reads one.
    pub fn read(line: &'a str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [
            "mirrord-agent",
            version,
            "fingerprint",
            fingerprint,
            "listening",
            endpoint,
        ] = words[..]
        else {
            bail!(
                "the agent's first line is not one of ours: {line:?} (is it of the same version?)"
            );
        };
        Ok(FirstLine {
            version,
            fingerprint: fingerprint
                .parse()
                .context("the agent's first line has no fingerprint")?,
            endpoint: endpoint
                .parse()
                .context("the agent's first line has no usable address")?,
        })
    }
}
