//! The addresses and ports inside a sandbox. They never leave its namespaces, so all sandboxes use
//! the same ones: a client at one side of the pod, and a service that only the pod reaches at the
//! other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The outside client's address, in the client's namespace.
pub const CLIENT_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 1);
/// The outside client's address, in the client's namespace.
pub const CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 1, 0, 0, 0, 0, 0, 1);
/// The pod's address, the one that the client calls.
pub const POD_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 2);
/// The pod's address, the one that the client calls.
pub const POD_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 1, 0, 0, 0, 0, 0, 2);
/// The pod's address on the side of the service.
pub const POD_TO_SERVICE_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 2, 1);
/// The pod's address on the side of the service.
pub const POD_TO_SERVICE_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 2, 0, 0, 0, 0, 0, 1);
/// The service that only the pod reaches.
pub const SERVICE_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 2, 2);
/// The service that only the pod reaches.
pub const SERVICE_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 2, 0, 0, 0, 0, 0, 2);
/// The pod's name server.
pub const DNS_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 2, 53);
/// The pod's name server.
pub const DNS_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 2, 0, 0, 0, 0, 0, 0x53);
/// What is sent here is dropped in silence: connecting times out. The whole /24 is like that.
pub const BLACK_HOLE_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 9, 9);
/// What is sent here is dropped in silence: connecting times out. The whole /64 is like that.
pub const BLACK_HOLE_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 9, 0, 0, 0, 0, 0, 9);
/// The pod has no route to this one: connecting fails at once with ENETUNREACH.
pub const NO_ROUTE_V4: Ipv4Addr = Ipv4Addr::new(10, 99, 9, 9);

/// The pod's own HTTP service, on every address of the pod and on loopback.
pub const WEB_PORT: u16 = 8080;
/// HTTP of the service that only the pod reaches.
pub const SERVICE_HTTP_PORT: u16 = 80;
/// TCP and UDP echo of the service that only the pod reaches.
pub const ECHO_PORT: u16 = 7000;
/// Nothing listens here: connections are refused.
pub const REFUSED_PORT: u16 = 7999;
/// Port of the name server.
pub const DNS_PORT: u16 = 53;
/// A Unix socket in the pod that echoes.
pub const APP_SOCKET: &str = "/run/app.sock";

/// A name that only the pod knows, of the service that only the pod reaches.
pub const SERVICE_NAME: &str = "orders.shop.svc.cluster.local";
/// The pod's search list: `orders` alone is enough there.
pub const SEARCH_LIST: [&str; 3] = [
    "shop.svc.cluster.local",
    "svc.cluster.local",
    "cluster.local",
];

/// Prefix length of the pod's networks.
pub(crate) fn prefix_length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 24 } else { 64 }
}
