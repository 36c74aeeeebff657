//! Kubeconfigs as kubectl reads them: several files, the first to say something wins. Nothing of
//! their contents but names ever gets into a message.

use std::path::{Path, PathBuf};

use kube::config::{Context as KubeContext, Kubeconfig, KubeconfigError, NamedContext};

use crate::{Access, Environment, Error};

/// The namespace of a context that names none (`kubectl config set-context`).
pub const DEFAULT_NAMESPACE: &str = "default";

/// A context, for people to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Its name.
    pub name: String,
    /// Its cluster's name.
    pub cluster: String,
    /// The namespace that it says.
    pub namespace: Option<String>,
    /// It is the one that is used when none is named.
    pub current: bool,
}

/// The files that say how clusters are reached: those that are there.
///
/// # Errors
/// [`Error::NoCluster`] when none of those that are named is there.
pub fn files(access: &Access, environment: &Environment) -> Result<Vec<PathBuf>, Error> {
    let named = match &access.kubeconfig {
        Some(path) => vec![path.clone()],
        None => environment.kubeconfigs(),
    };
    let there: Vec<PathBuf> = named.iter().filter(|path| path.exists()).cloned().collect();
    if there.is_empty() {
        let names: Vec<String> = named
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(Error::NoCluster(match names.as_slice() {
            [] => "neither KUBECONFIG nor HOME is set".to_owned(),
            names => format!("there is no file {}", names.join(", ")),
        }));
    }
    Ok(there)
}

/// What the files say together.
///
/// # Errors
/// [`Error::NoCluster`] without a file, [`Error::Access`] when one cannot be read.
pub fn read(access: &Access, environment: &Environment) -> Result<Kubeconfig, Error> {
    let mut whole = Kubeconfig::default();
    for path in files(access, environment)? {
        let one = Kubeconfig::read_from(&path).map_err(|error| unreadable(&path, &error))?;
        whole = whole
            .merge(one)
            .map_err(|error| Error::Access(format!("{} does not fit: {error}", path.display())))?;
    }
    Ok(whole)
}

/// The contexts, in their order.
///
/// # Errors
/// As for [`read`].
pub fn contexts(access: &Access, environment: &Environment) -> Result<Vec<Context>, Error> {
    let read = read(access, environment)?;
    let current = access.context.as_ref().or(read.current_context.as_ref());
    let context = |named: &NamedContext| {
        let context = named.context.as_ref();
        Context {
            current: current == Some(&named.name),
            name: named.name.clone(),
            cluster: context.map_or_else(String::new, |context| context.cluster.clone()),
            namespace: context.and_then(|context| context.namespace.clone()),
        }
    };
    Ok(read.contexts.iter().map(context).collect())
}

/// The context that is meant, by its name.
pub(crate) fn chosen<'a>(
    read: &'a Kubeconfig,
    access: &Access,
) -> Result<(&'a str, &'a KubeContext), Error> {
    let name = access.context.as_ref().or(read.current_context.as_ref());
    let names = || {
        let names: Vec<&str> = read
            .contexts
            .iter()
            .map(|named| named.name.as_str())
            .collect();
        match names.is_empty() {
            true => "it has none".to_owned(),
            false => format!("there are {}", names.join(", ")),
        }
    };
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(Error::Access(format!(
            "the kubeconfig has no current context ({}): set `kube_context`, or run `kubectl \
             config use-context NAME`",
            names()
        )));
    };
    let found = read.contexts.iter().find(|named| &named.name == name);
    match found.and_then(|named| Some((&*named.name, named.context.as_ref()?))) {
        Some(found) => Ok(found),
        None => Err(Error::Access(format!(
            "the kubeconfig has no context {name}; {} (`kube_context` names one)",
            names()
        ))),
    }
}

/// The helper that logs in for the chosen context (`exec`), where there is one.
pub fn helper(access: &Access, environment: &Environment) -> Option<String> {
    let read = read(access, environment).ok()?;
    let user = chosen(&read, access).ok()?.1.user.as_ref()?;
    let named = read.auth_infos.iter().find(|named| &named.name == user)?;
    named.auth_info.as_ref()?.exec.as_ref()?.command.clone()
}

/// The namespaces that contexts of the chosen cluster name: what is known of a cluster that does
/// not let its namespaces be listed.
pub fn known_namespaces(access: &Access, environment: &Environment) -> Result<Vec<String>, Error> {
    let read = read(access, environment)?;
    let (_, chosen) = chosen(&read, access)?;
    let contexts = read
        .contexts
        .iter()
        .filter_map(|named| named.context.as_ref());
    let mut names: Vec<String> = contexts
        .filter(|context| context.cluster == chosen.cluster)
        .map(|context| {
            context
                .namespace
                .clone()
                .unwrap_or(DEFAULT_NAMESPACE.into())
        })
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// The parser quotes what it stumbled over, which may be a token.
fn unreadable(path: &Path, error: &KubeconfigError) -> Error {
    let path = path.display();
    Error::Access(match error {
        KubeconfigError::ReadConfig(error, _) => format!("{path} cannot be read: {error}"),
        _ => format!("{path} is not a kubeconfig (`kubectl config view` says more)"),
    })
}
