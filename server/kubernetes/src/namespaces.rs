//! The namespaces of a cluster.

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use crate::{Cluster, Error};

/// Names of one page.
const PAGE: u32 = 500;

impl Cluster {
    /// The names of the cluster's namespaces, in their order.
    ///
    /// # Errors
    /// [`Error::Api`] when they may not be listed.
    pub async fn namespaces(&self) -> Result<Vec<String>, Error> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let mut params = ListParams::default().limit(PAGE);
        let mut names = Vec::new();
        loop {
            let page = api.list_metadata(&params).await;
            let page = page.map_err(Error::api("list the cluster's namespaces"))?;
            names.extend(page.items.iter().map(ResourceExt::name_any));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => break,
            }
        }
        names.sort();
        Ok(names)
    }
}
