//! What the product's demo shows of a sandbox: things that are there in the pod and not, or not
//! like this, on the developer's machine.

use std::net::SocketAddr;

use crate::SandboxSpec;
use crate::addresses::{POD_V4, SERVICE_NAME, WEB_PORT};

/// Name of the demo's sandbox.
pub const NAME: &str = "demo";
/// Variables to show.
pub const VARIABLES: [&str; 3] = ["POD_NAME", "DATABASE_URL", "FEATURE_FLAG"];
/// A file to show: the configuration of the pod's program.
pub const FILE: &str = "/etc/app/config.yaml";
/// A folder to list.
pub const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// A name to resolve.
pub const HOST: &str = SERVICE_NAME;
/// What to call by HTTP.
pub const URL: &str = "http://orders.shop.svc.cluster.local/orders/42";
/// The port whose requests are stolen.
pub const STOLEN_PORT: u16 = WEB_PORT;

/// The demo's sandbox.
pub fn spec() -> SandboxSpec {
    SandboxSpec::new(NAME)
}

/// Where the outside client calls the pod.
pub fn stolen_address() -> SocketAddr {
    (POD_V4, STOLEN_PORT).into()
}
