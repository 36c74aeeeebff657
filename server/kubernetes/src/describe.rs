//! What one target of a cluster is: its containers, what they declare, and the names of their
//! variables. Values are never read from Secrets, and never told from anywhere.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ConfigMap, Container, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::api::{Api, ListParams};

use crate::resolve::containers;
use crate::{Cluster, Error, Kind, Pods, Target};

/// A target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its namespace.
    pub namespace: String,
    /// The containers of the pod that would be used now.
    pub containers: Vec<ContainerInfo>,
    /// The container that is meant when none is named.
    pub main: Option<String>,
    /// Its pods.
    pub pods: Pods,
    /// Why no program can be run in it now.
    pub reason: Option<String>,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerInfo {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: Option<String>,
    /// The TCP ports that it declares.
    pub ports: Vec<PortInfo>,
    /// Names of the variables that the pod's specification gives it.
    pub env_names: Vec<String>,
    /// Its health probes.
    pub probes: Vec<ProbeInfo>,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortInfo {
    /// Its number.
    pub port: u16,
    /// Its name.
    pub name: Option<String>,
}

/// A health probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeInfo {
    /// `liveness`, `readiness` or `startup`.
    pub kind: &'static str,
    /// The port that it asks; none: it runs a program.
    pub port: Option<u16>,
    /// The path that it asks for.
    pub path: Option<String>,
}

impl Cluster {
    /// Describes a target. One without a running pod is described by any pod that it has.
    ///
    /// # Errors
    /// [`Error::Target`] when it is not there, or the named container is not in it;
    /// [`Error::Api`] when the cluster refuses.
    pub async fn describe(&self, target: &Target) -> Result<Description, Error> {
        let mut pods = self.pods_of(target).await?;
        let total = pods.len();
        let ready = pods.iter().filter(|pod| containers::is_ready(pod)).count();
        pods.sort_by_key(|pod| (!containers::runs(pod), !containers::is_ready(pod)));
        let pods_count = Pods {
            ready: u32::try_from(ready).unwrap_or(u32::MAX),
            wanted: u32::try_from(total).unwrap_or(u32::MAX),
        };
        let Some(pod) = pods.first() else {
            return Ok(Description {
                namespace: self.namespace.clone(),
                containers: Vec::new(),
                main: None,
                pods: pods_count,
                reason: Some(format!("{target} has no pods")),
            });
        };
        let reason = containers::choose(pod, target.container.as_deref()).err();
        let spec = pod.spec.as_ref();
        let specs = spec.map(|spec| &spec.containers[..]).unwrap_or_default();
        if let Some(named) = &target.container
            && !specs.iter().any(|container| &container.name == named)
            && let Some(error) = reason
        {
            return Err(error);
        }
        let mut described = Vec::new();
        for container in specs {
            described.push(self.container(container).await);
        }
        let names: Vec<&str> = specs.iter().map(|one| &one.name[..]).collect();
        Ok(Description {
            namespace: self.namespace.clone(),
            containers: described,
            main: containers::main(pod, &names).map(|name| (*name).to_owned()),
            pods: pods_count,
            reason: reason.map(|error| error.to_string()),
        })
    }

    /// The pods of a target, whatever state they are in; at most a page of them.
    async fn pods_of(&self, target: &Target) -> Result<Vec<Pod>, Error> {
        if target.kind == Kind::Pod {
            return Ok(vec![self.get::<Pod>("pod", &target.name).await?]);
        }
        let selector = match self.selector(target).await {
            // Nothing runs, which is an answer.
            Err(Error::Target(_)) if target.kind == Kind::CronJob => {
                self.get::<k8s_openapi::api::batch::v1::CronJob>("cronjob", &target.name)
                    .await?;
                return Ok(Vec::new());
            }
            selector => selector?,
        };
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let params = ListParams::default().labels(&selector).limit(500);
        let what = format!("list the pods of {target} in {}", self.namespace);
        Ok(api.list(&params).await.map_err(Error::api(what))?.items)
    }

    async fn container(&self, container: &Container) -> ContainerInfo {
        ContainerInfo {
            name: container.name.clone(),
            image: container.image.clone(),
            ports: ports(container),
            env_names: self.env_names(container).await,
            probes: probes(container),
        }
    }

    /// Names only. What a ConfigMap gives is looked up where that may be read; Secrets are left
    /// alone, because reading names means reading values.
    async fn env_names(&self, container: &Container) -> Vec<String> {
        let own = container.env.iter().flatten();
        let mut names: BTreeSet<String> = own.map(|variable| variable.name.clone()).collect();
        for source in container.env_from.iter().flatten() {
            let Some(name) = source.config_map_ref.as_ref().map(|map| &map.name) else {
                continue;
            };
            let api: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace);
            match api.get(name).await {
                Ok(map) => {
                    let prefix = source.prefix.as_deref().unwrap_or_default();
                    let keys = map.data.iter().flat_map(|data| data.keys());
                    names.extend(keys.map(|key| format!("{prefix}{key}")));
                }
                Err(error) => {
                    let error = Error::api(format!("read configmap/{name}"))(error);
                    tracing::debug!("some names of variables are not known: {error}");
                }
            }
        }
        names.into_iter().collect()
    }
}

fn ports(container: &Container) -> Vec<PortInfo> {
    let declared = container.ports.iter().flatten();
    let tcp = declared.filter(|port| port.protocol.as_deref().is_none_or(|name| name == "TCP"));
    let info = tcp.filter_map(|port| {
        Some(PortInfo {
            port: u16::try_from(port.container_port).ok()?,
            name: port.name.clone(),
        })
    });
    info.collect()
}

fn probes(container: &Container) -> Vec<ProbeInfo> {
    let kinds = [
        ("liveness", &container.liveness_probe),
        ("readiness", &container.readiness_probe),
        ("startup", &container.startup_probe),
    ];
    let info = |(kind, probe): (&'static str, &Option<Probe>)| {
        let probe = probe.as_ref()?;
        let http = probe.http_get.as_ref();
        let named = http
            .map(|http| &http.port)
            .or(probe.tcp_socket.as_ref().map(|tcp| &tcp.port));
        let number = match named {
            Some(IntOrString::Int(port)) => u16::try_from(*port).ok(),
            Some(IntOrString::String(name)) => ports(container)
                .into_iter()
                .find(|port| port.name.as_ref() == Some(name))
                .map(|port| port.port),
            None => {
                let grpc = probe.grpc.as_ref();
                grpc.and_then(|grpc| u16::try_from(grpc.port).ok())
            }
        };
        Some(ProbeInfo {
            kind,
            port: number,
            path: http.and_then(|http| http.path.clone()),
        })
    };
    kinds.into_iter().filter_map(info).collect()
}
