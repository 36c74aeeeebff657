//! Containers of this machine's Docker or Podman, as targets: `container/NAME`. The engine is only
//! asked who the container's main process is; from there on it is a process like any other.

mod api;
mod sockets;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

pub use api::Container;
use sockets::Engine;

/// An engine that has not answered by then is told so, and a picker does not wait for it.
const DEADLINE: Duration = Duration::from_secs(5);

/// The main process of the container that `name` means: its name, or the beginning of its id.
pub async fn main_process(name: &str) -> Result<i32> {
    let engines = sockets::engines(|variable| std::env::var(variable).ok())?;
    if engines.is_empty() {
        bail!(
            "could not look for the container {name:?}: no socket of Docker or Podman is here. \
             Start the engine (for Podman: `systemctl --user start podman.socket`), or name its \
             socket in DOCKER_HOST or CONTAINER_HOST"
        );
    }
    let mut found = Vec::new();
    let mut troubles = Vec::new();
    for engine in &engines {
        match asked(api::list(&engine.socket), engine).await {
            Ok(containers) => {
                let matching = matching(containers, name);
                found.extend(matching.into_iter().map(|container| (engine, container)));
            }
            Err(error) => troubles.push(format!("{error:#}")),
        }
    }
    let (engine, container) = match &found[..] {
        [one] => one,
        [] if !troubles.is_empty() => bail!("{}", troubles.join("; ")),
        [] => {
            bail!("there is no container {name:?}; `mirrord-server targets` lists those that run")
        }
        several => bail!("{}", ambiguous(name, several)),
    };
    let title = format!("the container {:?}", container.name);
    if container.state != "running" {
        bail!(
            "{title} is {}, and only a running one can be a target; start it first",
            container.state
        );
    }
    let pid = asked(api::main_process(&engine.socket, &container.id), engine).await?;
    if pid <= 0 {
        bail!("{title} ended just now; start it again");
    }
    if !Path::new(&format!("/proc/{pid}")).exists() {
        bail!(
            "{title} has its main process ({pid}) on another machine: {} is the socket of an \
             engine in a virtual machine. Run mirrord-server in that machine",
            engine.socket.display()
        );
    }
    Ok(pid)
}

/// All containers of all engines that answer; the others are only logged. For callers that are not
/// async: it runs on a thread of its own.
pub fn list() -> Result<Vec<Container>> {
    let engines = sockets::engines(|variable| std::env::var(variable).ok())?;
    if engines.is_empty() {
        return Ok(Vec::new());
    }
    on_a_thread(async move {
        let mut all = Vec::new();
        for engine in &engines {
            match asked(with_processes(&engine.socket), engine).await {
                Ok(containers) => all.extend(containers),
                Err(error) => tracing::info!("{error:#}"),
            }
        }
        Ok(all)
    })
}

/// As [`main_process`], for callers that are not async.
pub fn find(name: &str) -> Result<i32> {
    let name = name.to_owned();
    on_a_thread(async move { main_process(&name).await })
}

fn on_a_thread<T: Send + 'static>(
    asking: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("could not start a runtime for the container engines")?;
        runtime.block_on(asking)
    });
    match thread.join() {
        Ok(answer) => answer,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Those that run have their process: it tells that what is found in `/proc` is theirs.
async fn with_processes(socket: &Path) -> Result<Vec<Container>> {
    let mut containers = api::list(socket).await?;
    for container in &mut containers {
        if container.state == "running" {
            // One that is removed meanwhile is no reason to show none.
            match api::main_process(socket, &container.id).await {
                Ok(pid) => container.pid = (pid > 0).then_some(pid),
                Err(error) => tracing::debug!("{}: {error:#}", container.name),
            }
        }
    }
    Ok(containers)
}

/// An answer in time, or what is wrong with the engine.
async fn asked<T>(answer: impl Future<Output = Result<T>>, engine: &Engine) -> Result<T> {
    let socket = engine.socket.display();
    match tokio::time::timeout(DEADLINE, answer).await {
        Ok(answer) => answer.with_context(|| format!("could not ask {socket}")),
        Err(_) => bail!(
            "{socket} did not answer within {} s; is the engine stuck?",
            DEADLINE.as_secs()
        ),
    }
}

/// A whole name wins over the beginning of another one's id.
fn matching(containers: Vec<Container>, name: &str) -> Vec<Container> {
    let (named, others): (Vec<_>, Vec<_>) = containers
        .into_iter()
        .partition(|container| container.name == name || container.id == name);
    match named.is_empty() {
        false => named,
        true => others
            .into_iter()
            .filter(|container| container.id.starts_with(name))
            .collect(),
    }
}

fn ambiguous(name: &str, found: &[(&Engine, Container)]) -> String {
    let list: Vec<String> = found
        .iter()
        .map(|(engine, container)| {
            let id = container.id.get(..12).unwrap_or(&container.id);
            format!("{} ({id}, {})", container.name, engine.socket.display())
        })
        .collect();
    format!(
        "{name:?} means more than one container: {}; write more of the id",
        list.join(", ")
    )
}

#[cfg(test)]
mod tests;
