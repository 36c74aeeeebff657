//! Where the engines' sockets are.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// An engine that may be asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Engine {
    /// Its API's socket.
    pub socket: PathBuf,
}

/// Variables that name an engine, as Podman's and Docker's own clients read them.
const NAMED: &[&str] = &["CONTAINER_HOST", "DOCKER_HOST"];
/// Below `XDG_RUNTIME_DIR`: engines of the user.
const OF_THE_USER: &[&str] = &["podman/podman.sock", "docker.sock"];
/// Engines of the machine.
const OF_THE_MACHINE: &[&str] = &["/run/podman/podman.sock", "/var/run/docker.sock"];

/// The engines that a variable names, else those whose sockets are there. One that is named is
/// asked even when it is not there: its absence is the user's answer.
pub fn engines(variable: impl Fn(&str) -> Option<String>) -> Result<Vec<Engine>> {
    let mut engines = Vec::new();
    let mut add = |socket: PathBuf| {
        // One socket may be a link to the other (`podman-docker`).
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if !engines
            .iter()
            .any(|known: &Engine| real(&known.socket) == real(&socket))
        {
            engines.push(Engine { socket });
        }
    };
    let named = NAMED
        .iter()
        .filter_map(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)));
    let mut any = false;
    for (name, value) in named {
        any = true;
        match value.strip_prefix("unix://") {
            Some(path) => add(path.into()),
            None => bail!(
                "{name} is {value:?}: containers can be targets on this machine only, through \
                 unix:///PATH; unset {name}, or run mirrord-server on that machine"
            ),
        }
    }
    if any {
        return Ok(engines);
    }
    let runtime = variable("XDG_RUNTIME_DIR").filter(|value| !value.is_empty());
    let of_the_user = runtime
        .iter()
        .flat_map(|folder| OF_THE_USER.iter().map(|name| Path::new(folder).join(name)));
    for socket in of_the_user.chain(OF_THE_MACHINE.iter().map(PathBuf::from)) {
        // `exists` is false for what is hidden from us, too: then it is not ours to use.
        if socket.exists() {
            add(socket);
        }
    }
    Ok(engines)
}
