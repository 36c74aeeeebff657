//! Which cluster, and as whom: a kubeconfig as kubectl reads it (`KUBECONFIG` with several files,
//! exec plugins, proxies), or the pod's service account.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use kube::Client;
use kube::client::ClientBuilder;
use kube::config::{Config, ExecConfig, ExecInteractiveMode, KubeConfigOptions, Kubeconfig};
use tower::buffer::BufferLayer;
use tower::retry::RetryLayer;

use crate::retry::Retry;
use crate::{Environment, Error, kubeconfig, proxy};

/// How long the API server may take to let us in.
const CONNECT: Duration = Duration::from_secs(10);

/// How a cluster is to be reached; what is not given is as kubectl would take it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// The kubeconfig file (`kubeconfig`).
    pub kubeconfig: Option<PathBuf>,
    /// The context in it (`kube_context`).
    pub context: Option<String>,
    /// The namespace (`target.namespace`).
    pub namespace: Option<String>,
    /// Take the cluster's certificate without checking it (`accept_invalid_certificates`).
    pub accept_invalid_certificates: bool,
}

impl Access {
    /// Which cluster and namespace this is now. A name of a context or of a file says less: what is in
    /// the file may change from one moment to the next.
    ///
    /// # Errors
    /// [`Error::Access`] when there is no usable configuration.
    pub fn place(&self) -> Result<String, Error> {
        let (config, _) = configuration(self, &Environment::own())?;
        let namespace = self.namespace.as_ref().unwrap_or(&config.default_namespace);
        Ok(format!("{} {namespace}", config.cluster_url))
    }
}

/// A cluster that can be asked.
#[derive(Clone)]
pub struct Cluster {
    /// Asks it.
    pub client: Client,
    /// The namespace that is meant where none is named.
    pub namespace: String,
    /// Its API server.
    pub server: String,
    /// The context that was chosen; none inside a pod.
    pub context: Option<String>,
}

impl Cluster {
    /// As [`Cluster::connect_in`], with the environment of this process.
    ///
    /// # Errors
    /// As there.
    pub async fn connect(access: &Access) -> Result<Cluster, Error> {
        Cluster::connect_in(access, &Environment::own()).await
    }

    /// Reads the configuration, and lets a helper that logs in do so; the cluster itself is not
    /// asked yet.
    ///
    /// # Errors
    /// [`Error::NoCluster`] when nothing says how to reach one, [`Error::Access`] when what does
    /// cannot be used, [`Error::Helper`] when the helper is missing or fails.
    pub async fn connect_in(access: &Access, environment: &Environment) -> Result<Cluster, Error> {
        let (access, environment) = (access.clone(), environment.clone());
        // Helpers take their time: they ask the cloud, or wait for a browser.
        let built = tokio::task::spawn_blocking(move || build(&access, &environment));
        built
            .await
            .map_err(|error| Error::Access(error.to_string()))?
    }
}

fn build(access: &Access, environment: &Environment) -> Result<Cluster, Error> {
    let (mut config, context) = configuration(access, environment)?;
    if access.accept_invalid_certificates {
        config.accept_invalid_certs = true;
    }
    config.connect_timeout = Some(CONNECT);
    // Streams live as long as sessions do; their end is noticed by the link's own pings.
    config.read_timeout = None;
    config.default_retry = false;
    let named = access.namespace.clone();
    let namespace = named.unwrap_or_else(|| config.default_namespace.clone());
    let server = config.cluster_url.to_string();
    let helper = config.auth_info.exec.clone();
    let builder = ClientBuilder::try_from(config)
        .map_err(|error| Error::at_login(&error, helper.as_ref()))?;
    // The retries need a service that can be cloned; the buffer is one.
    let client = builder
        .with_layer(&BufferLayer::new(64))
        .with_layer(&RetryLayer::new(Retry::default()))
        .build();
    Ok(Cluster {
        client,
        namespace,
        server: server.trim_end_matches('/').to_owned(),
        context,
    })
}

fn configuration(
    access: &Access,
    environment: &Environment,
) -> Result<(Config, Option<String>), Error> {
    let mut read = match kubeconfig::read(access, environment) {
        Ok(read) => read,
        // Inside a pod there is no file, but a service account. Whoever names a file or a context
        // does not mean that.
        Err(Error::NoCluster(_))
            if access.kubeconfig.is_none()
                && access.context.is_none()
                && environment.get("KUBERNETES_SERVICE_HOST").is_some() =>
        {
            return Ok((in_pod(environment)?, None));
        }
        Err(error) => return Err(error),
    };
    let (name, chosen) = kubeconfig::chosen(&read, access)?;
    let (name, user) = (name.to_owned(), chosen.user.clone());
    let cluster = chosen.cluster.clone();
    lead_helper(&mut read, user.as_deref(), environment)?;
    let own_proxy = read
        .clusters
        .iter()
        .find(|named| named.name == cluster)
        .and_then(|named| named.cluster.as_ref()?.proxy_url.clone());
    let options = KubeConfigOptions {
        context: Some(name.clone()),
        ..KubeConfigOptions::default()
    };
    // Nothing is waited for in there.
    let config = futures::executor::block_on(Config::from_custom_kubeconfig(read, &options));
    let mut config = config
        .map_err(|error| Error::Access(format!("the context {name} cannot be used: {error}")))?;
    config.proxy_url = proxy::proxy(&config.cluster_url, own_proxy.as_deref(), environment)?;
    Ok((config, Some(name)))
}

/// The pod's service account, and the API server as the pod's variables say.
fn in_pod(environment: &Environment) -> Result<Config, Error> {
    let problem = |error: &dyn std::fmt::Display| {
        Error::Access(format!("the pod's service account cannot be used: {error}"))
    };
    let mut config = Config::incluster_dns().map_err(|error| problem(&error))?;
    let host = environment
        .get("KUBERNETES_SERVICE_HOST")
        .unwrap_or_default();
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    };
    let port = environment.get("KUBERNETES_SERVICE_PORT").unwrap_or("443");
    let url = format!("https://{host}:{port}");
    config.cluster_url = url
        .parse()
        .map_err(|error: http::uri::InvalidUri| problem(&error))?;
    Ok(config)
}

/// A helper is started in the environment of whoever asks, and only if it is there. One that has no
/// terminal must not wait for somebody at it.
fn lead_helper(
    read: &mut Kubeconfig,
    user: Option<&str>,
    environment: &Environment,
) -> Result<(), Error> {
    let users = read.auth_infos.iter_mut();
    let named = users.filter(|named| Some(named.name.as_str()) == user);
    for exec in named.filter_map(|named| named.auth_info.as_mut()?.exec.as_mut()) {
        let command = exec.command.clone().unwrap_or_default();
        let Some(path) = environment.executable(&command) else {
            return Err(Error::Helper {
                words: match &exec.install_hint {
                    Some(hint) => format!("it is not on PATH; {}", hint.trim()),
                    None => "it is not on PATH: install it, or start the editor where it is".into(),
                },
                command,
            });
        };
        exec.command = Some(path.display().to_string());
        if environment.is_own() {
            continue;
        }
        if exec.interactive_mode == Some(ExecInteractiveMode::Always) {
            return Err(Error::Helper {
                command,
                words: "it wants a terminal: log in in one first".into(),
            });
        }
        exec.interactive_mode = Some(ExecInteractiveMode::Never);
        give_environment(exec, environment);
    }
    Ok(())
}

fn give_environment(exec: &mut ExecConfig, environment: &Environment) {
    let pair = |(name, value): (&String, &String)| {
        HashMap::from([
            ("name".to_owned(), name.clone()),
            ("value".to_owned(), value.clone()),
        ])
    };
    let mut given: Vec<_> = environment.variables().iter().map(pair).collect();
    // Its own variables come last and win.
    given.extend(exec.env.take().unwrap_or_default());
    let names: Vec<&String> = given.iter().filter_map(|pair| pair.get("name")).collect();
    let ours = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    exec.drop_env = Some(ours.filter(|name| !names.contains(&name)).collect());
    exec.env = Some(given);
}
