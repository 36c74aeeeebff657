//! Which cluster, and as whom: a kubeconfig as kubectl reads it (`KUBECONFIG` with several files,
//! exec plugins, proxies), or the pod's service account.

use std::path::PathBuf;

use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use crate::Error;

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
    pub async fn place(&self) -> Result<String, Error> {
        let config = configuration(self).await?;
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
}

impl Cluster {
    /// Reads the configuration; the cluster itself is not asked yet.
    ///
    /// # Errors
    /// [`Error::Access`] when there is no usable configuration.
    pub async fn connect(access: &Access) -> Result<Cluster, Error> {
        let mut config = configuration(access).await?;
        if access.accept_invalid_certificates {
            config.accept_invalid_certs = true;
        }
        // Streams live as long as sessions do; their end is noticed by the link's own pings.
        config.read_timeout = None;
        let namespace = access
            .namespace
            .clone()
            .unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| Error::Access(error.to_string()))?;
        Ok(Cluster { client, namespace })
    }
}

async fn configuration(access: &Access) -> Result<Config, Error> {
    let options = KubeConfigOptions {
        context: access.context.clone(),
        ..KubeConfigOptions::default()
    };
    let from_file = match &access.kubeconfig {
        Some(path) => match Kubeconfig::read_from(path) {
            Ok(file) => Config::from_custom_kubeconfig(file, &options).await,
            Err(error) => Err(error),
        },
        None => Config::from_kubeconfig(&options).await,
    };
    match from_file {
        Ok(config) => Ok(config),
        // Inside a pod there is no file, but a service account. Whoever names a file or a context
        // does not mean that.
        Err(error) if access.kubeconfig.is_none() && access.context.is_none() => {
            Config::incluster().map_err(|_| Error::Access(error.to_string()))
        }
        Err(error) => Err(Error::Access(error.to_string())),
    }
}
