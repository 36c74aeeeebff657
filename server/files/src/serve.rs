//! The file server's life: mount, links, welcome, and the one thread that serves everybody.

use std::{
    os::fd::{AsFd, OwnedFd},
    rc::Rc,
    time::Duration,
};

use mirrord_link::{Endpoint, LinkError, SessionIdentity, dial};
use mirrord_protocol::{
    codec,
    hello::{AgentHello, Purpose},
};
use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    net::SendFlags,
    process::{getegid, geteuid},
};
use tokio::task::LocalSet;

use crate::{
    FilesError,
    agent::{Agent, Halves},
    clients,
    device::Device,
    fs::{Fs, Settings},
    local::{self, Welcome},
    mount::{self, Mount},
    snapshot,
};

/// What a file server has to know.
#[derive(Clone)]
pub struct ServeOptions {
    /// Where the agent listens.
    pub endpoint: Endpoint,
    /// What it is proved to the agent with.
    pub identity: SessionIdentity,
    /// Whether the session may change the pod's files at all; without, the mount is read-only.
    pub writable: bool,
    /// Whether calls of processes whose ids differ from the file server's own are made with those
    /// ids (a debuggee that began as root and changed its uid), not with the target's.
    pub callers_ids: bool,
    /// How long a call may take before it fails with EIO.
    pub deadline: Duration,
}

/// How long a call may take unless the session says otherwise.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// Serves the pod's files until the supervisor's socket closes, or the agent's links are lost and
/// do not come back. To be called
/// in a process of its own, before it has threads: as an ordinary user it moves into a user and
/// mount namespace of its own.
pub fn serve(options: ServeOptions, control: OwnedFd) -> Result<(), FilesError> {
    let result = start(options, &control);
    if let Err(error) = &result {
        // The supervisor may have its welcome already, or be gone: then there is nobody to tell.
        let _ = welcome(
            &control,
            &Welcome::Failed {
                reason: error.to_string(),
            },
            None,
        );
    }
    result
}

fn start(options: ServeOptions, control: &OwnedFd) -> Result<(), FilesError> {
    let local = |action| move |source| FilesError::Local { action, source };
    let mount = mount::detached(options.writable);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(local("start its event loop"))?;
    let control = control.try_clone().map_err(local("duplicate its socket"))?;
    let result = runtime.block_on(LocalSet::new().run_until(run(options, mount, control)));
    runtime.shutdown_background();
    result
}

async fn run(
    options: ServeOptions,
    mount: Result<Mount, FilesError>,
    control: OwnedFd,
) -> Result<(), FilesError> {
    let local = |action| move |source| FilesError::Local { action, source };
    let ((hello, names), (_, content)) = tokio::try_join!(
        connect(&options, Purpose::Files),
        connect(&options, Purpose::FileContent)
    )?;
    let patience = mirrord_link::patience(&options.endpoint, &hello);
    let own = (geteuid().as_raw(), getegid().as_raw());
    let own_ids_only = mount.as_ref().is_ok_and(|mount| mount.own_ids_only);
    let settings = Settings {
        owner: own_ids_only.then_some(own),
        callers_ids: options.callers_ids,
        own,
    };
    let agent = Rc::new(Agent::new(options.deadline));
    let fs = Rc::new(Fs::new(agent.clone(), settings));
    let (device, root, first) = match mount {
        Ok(mount) => {
            let device = Device::new(mount.device).map_err(local("watch /dev/fuse"))?;
            (Some(Rc::new(device)), Some(mount.root), Welcome::Mounted)
        }
        Err(error) => {
            let reason = format!("{error}; until then {}", snapshot::LIMITS);
            (None, None, Welcome::Snapshots { reason })
        }
    };
    let greeting = move |control: &OwnedFd| welcome(control, &first, root.as_ref());
    greeting(&control).map_err(local("greet the supervisor"))?;
    let flags = fcntl_getfl(&control).map_err(|errno| local("set its socket up")(errno.into()))?;
    fcntl_setfl(&control, flags | OFlags::NONBLOCK)
        .map_err(|errno| local("set its socket up")(errno.into()))?;
    let kernel = async {
        match device {
            Some(device) => fs.run(device).await,
            None => std::future::pending().await,
        }
    };
    let again = async |purpose| Ok(connect(&options, purpose).await?.1);
    tokio::select! {
        result = agent.run((names, content), patience, again) => Ok(result?),
        result = kernel => result.map_err(local("read from /dev/fuse")),
        result = clients::serve(fs.clone(), control, greeting) => {
            result.map_err(local("read from the supervisor's socket"))
        }
        () = fs.sweep() => Ok(()),
    }
}

async fn connect(
    options: &ServeOptions,
    purpose: Purpose,
) -> Result<(AgentHello, Halves), LinkError> {
    let (hello, socket) = dial(&options.endpoint, &options.identity, purpose).await?;
    Ok((hello, socket.into_messages()))
}

fn welcome(control: &OwnedFd, welcome: &Welcome, root: Option<&OwnedFd>) -> std::io::Result<()> {
    let packet = codec::encode(welcome).map_err(std::io::Error::other)?;
    local::send_with_fd(control.as_fd(), &packet, root, SendFlags::empty())?;
    Ok(())
}
