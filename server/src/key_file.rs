//! A session's secret key in a file, for agents that are started before the session is.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use mirrord_link::{SessionIdentity, SigningKey};

/// Makes a new key, writes it to a file that only we may read, and returns its public half.
pub fn create(path: &Path) -> Result<String> {
    let key = SessionIdentity::new_key()?;
    let mut file = std::fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("could not make the key file {}", path.display()))?;
    std::io::Write::write_all(&mut file, &key.to_bytes())
        .with_context(|| format!("could not write the key file {}", path.display()))?;
    Ok(SessionIdentity::public_hex(&key))
}

/// Reads a key that [`create`] wrote.
pub fn read(path: &Path) -> Result<SigningKey> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("could not read the key file {}", path.display()))?;
    ensure!(
        bytes.len() == 32,
        "{} is not a key file (32 bytes)",
        path.display()
    );
    let mut key = [0; 32];
    key.copy_from_slice(&bytes);
    Ok(SigningKey::from_bytes(&key))
}
