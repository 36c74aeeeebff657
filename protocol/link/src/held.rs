//! An agent that somebody holds for its session, and replaces when it is lost: in a cluster, where
//! agents are evicted and targets move. The holder has a folder that only its user can enter, with a
//! socket that leads to the present agent and a file that says which one that is.
//!
//! The order makes it safe to read: the holder says who the agent is before the socket that leads to
//! it exists, so whoever has connected reads of that one, or of one that is gone with the connection.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use crate::{Endpoint, Fingerprint, LinkError};

/// The socket in a holder's folder.
const SOCKET: &str = "socket";
/// The file that says how the agent is.
const STATE: &str = "state";

/// How a held agent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeldState {
    /// It can be called; it proves this key.
    Ready(Fingerprint),
    /// There is none now, and one will come; what is being done.
    Coming(String),
    /// There will be none, why.
    Gone(String),
}

impl fmt::Display for HeldState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeldState::Ready(fingerprint) => write!(f, "ready {fingerprint}"),
            HeldState::Coming(what) => write!(f, "coming {what}"),
            HeldState::Gone(why) => write!(f, "gone {why}"),
        }
    }
}

impl HeldState {
    /// Where the socket of a holder's folder is.
    pub fn socket(folder: &Path) -> PathBuf {
        folder.join(SOCKET)
    }

    /// Says how the agent is; at once and as a whole.
    ///
    /// # Errors
    /// Those of writing a file in `folder`.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let new = folder.join("state.new");
        fs::write(&new, self.to_string())?;
        fs::rename(new, folder.join(STATE))
    }

    /// How the agent is.
    ///
    /// # Errors
    /// Those of reading the file; one that is none of ours is invalid data.
    pub fn read(folder: &Path) -> io::Result<HeldState> {
        let text = fs::read_to_string(folder.join(STATE))?;
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let unknown = || io::Error::new(io::ErrorKind::InvalidData, format!("{text:?}"));
        Ok(match word {
            "ready" => HeldState::Ready(rest.parse().map_err(|_| unknown())?),
            "coming" => HeldState::Coming(rest.to_owned()),
            "gone" => HeldState::Gone(rest.to_owned()),
            _ => return Err(unknown()),
        })
    }
}

/// The agent that a connection to a holder's socket leads to.
pub(crate) fn agent(folder: &Path) -> Result<Fingerprint, LinkError> {
    match state(folder)? {
        HeldState::Ready(fingerprint) => Ok(fingerprint),
        HeldState::Coming(what) => Err(LinkError::Coming { what }),
        HeldState::Gone(reason) => Err(LinkError::Gone { reason }),
    }
}

/// Why a holder's socket could not be connected to.
pub(crate) fn unreachable(folder: &Path, source: io::Error) -> LinkError {
    match agent(folder) {
        // It has just come, or its socket is made next.
        Ok(_) => LinkError::Connect {
            endpoint: Endpoint::Held(folder.to_owned()),
            source,
        },
        Err(error) => error,
    }
}

fn state(folder: &Path) -> Result<HeldState, LinkError> {
    HeldState::read(folder).map_err(|source| LinkError::Connect {
        endpoint: Endpoint::Held(folder.to_owned()),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_as_written_and_decides_what_a_caller_does() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(unreachable(folder, io::ErrorKind::NotFound.into()).may_pass());
        let ready = HeldState::Ready(Fingerprint([7; 32]));
        let coming = HeldState::Coming("its pod was removed; starting another".to_owned());
        let gone = HeldState::Gone("there is no pod web-1".to_owned());
        for (state, may_pass) in [(ready, true), (coming, true), (gone, false)] {
            state.write(folder).unwrap();
            assert_eq!(HeldState::read(folder).unwrap(), state);
            let error = unreachable(folder, io::ErrorKind::NotFound.into());
            assert_eq!(error.may_pass(), may_pass, "{state}");
        }
        fs::write(folder.join(STATE), "nonsense").unwrap();
        assert!(HeldState::read(folder).is_err());
    }
}
