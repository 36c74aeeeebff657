//! Ids that a file call is made with.

use serde::{Deserialize, Serialize};

/// User, group and supplementary groups as numbers of the *pod*.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Creds {
    /// File-system user id (credentials(7)).
    pub uid: u32,
    /// File-system group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}
