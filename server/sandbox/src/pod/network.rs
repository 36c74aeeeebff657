//! The pod's networks: `eth0` to the outside client, `eth1` to the service that only the pod
//! reaches, each the other end of a pair in a network namespace of its own.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::addresses::*;
use crate::fork::unshare;
use crate::netlink::{LOOPBACK, Netlink, VethEnd};

// High enough for no device to have them: modules such as sit or gre put devices of their own
// into every new namespace.
const TO_CLIENT: u32 = 771;
const TO_SERVICE: u32 = 772;
const OUTSIDE: u32 = 773;

/// The network namespaces besides the pod's.
pub(crate) struct Neighbours {
    /// The outside client's.
    pub client: OwnedFd,
    /// The service's; its processes enter it themselves.
    pub service: Arc<OwnedFd>,
    /// Whether IPv6 works.
    pub ipv6: bool,
}

/// A network namespace and its end of the wires.
struct Side {
    namespace: OwnedFd,
    netlink: Netlink,
}

/// Builds the networks around the calling thread's namespace, which is the pod's.
pub(crate) fn build() -> Result<Neighbours> {
    let pod = Side::here()?;
    let service = Side::new().context("could not make the service's network namespace")?;
    let client = Side::new().context("could not make the client's network namespace")?;
    move_into_link_name_space(pod.namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .context("could not go back to the pod's network namespace")?;
    join(&pod, "eth0", TO_CLIENT, &client)?;
    join(&pod, "eth1", TO_SERVICE, &service)?;
    for side in [&pod, &service, &client] {
        side.netlink
            .set_up(LOOPBACK)
            .context("could not switch loopback on")?;
    }
    let v4: Addresses = [
        (&pod, TO_CLIENT, POD_V4.into()),
        (&client, OUTSIDE, CLIENT_V4.into()),
        (&pod, TO_SERVICE, POD_TO_SERVICE_V4.into()),
        (&service, OUTSIDE, SERVICE_V4.into()),
        (&service, OUTSIDE, DNS_V4.into()),
    ];
    let v6: Addresses = [
        (&pod, TO_CLIENT, POD_V6.into()),
        (&client, OUTSIDE, CLIENT_V6.into()),
        (&pod, TO_SERVICE, POD_TO_SERVICE_V6.into()),
        (&service, OUTSIDE, SERVICE_V6.into()),
        (&service, OUTSIDE, DNS_V6.into()),
    ];
    add_addresses(&v4)?;
    let ipv6 = match add_addresses(&v6) {
        Ok(()) => true,
        Err(error) if means_no_ipv6(&error) => {
            eprintln!("the sandbox has no IPv6, as this machine has none: {error:#}");
            false
        }
        Err(error) => return Err(error),
    };
    for (side, device) in [
        (&pod, TO_CLIENT),
        (&pod, TO_SERVICE),
        (&client, OUTSIDE),
        (&service, OUTSIDE),
    ] {
        side.netlink
            .set_up(device)
            .context("could not switch a device on")?;
    }
    black_hole(&pod, &service, BLACK_HOLE_V4.into(), SERVICE_V4.into())?;
    if ipv6 {
        black_hole(&pod, &service, BLACK_HOLE_V6.into(), SERVICE_V6.into())?;
    }
    Ok(Neighbours {
        client: client.namespace,
        service: Arc::new(service.namespace),
        ipv6,
    })
}

type Addresses<'a> = [(&'a Side, u32, IpAddr); 5];

fn add_addresses(addresses: &Addresses) -> Result<()> {
    for (side, device, address) in addresses {
        let added = side
            .netlink
            .add_address(*device, *address, prefix_length(*address));
        added.with_context(|| format!("could not set the address {address}"))?;
    }
    Ok(())
}

/// As on a kernel booted with `ipv6.disable=1`, or where `disable_ipv6` is set for new devices.
fn means_no_ipv6(error: &anyhow::Error) -> bool {
    let code = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::raw_os_error);
    matches!(
        code,
        Some(libc::EOPNOTSUPP | libc::EACCES | libc::EAFNOSUPPORT)
    )
}

fn join(pod: &Side, name: &str, index: u32, other: &Side) -> Result<()> {
    let ours = VethEnd {
        name,
        index,
        namespace: pod.namespace.as_fd(),
    };
    let theirs = VethEnd {
        name: "eth0",
        index: OUTSIDE,
        namespace: other.namespace.as_fd(),
    };
    pod.netlink.add_veth(&ours, &theirs).with_context(|| {
        format!("could not make the pod's {name} (veth; is the kernel's veth module there? `sudo modprobe veth`)")
    })
}

/// A network that the pod sends to the service's side, where it is dropped: a black hole in the
/// pod itself would be an error at once.
fn black_hole(pod: &Side, service: &Side, somewhere: IpAddr, gateway: IpAddr) -> Result<()> {
    let length = prefix_length(somewhere);
    let network = network_of(somewhere, length);
    pod.netlink
        .add_route(network, length, gateway)
        .with_context(|| format!("could not route {network}"))?;
    service
        .netlink
        .add_black_hole(network, length)
        .with_context(|| format!("could not drop {network}"))
}

fn network_of(address: IpAddr, prefix_length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            IpAddr::V4((address.to_bits() & (u32::MAX << (32 - prefix_length))).into())
        }
        IpAddr::V6(address) => {
            IpAddr::V6((address.to_bits() & (u128::MAX << (128 - prefix_length))).into())
        }
    }
}

impl Side {
    fn here() -> Result<Side> {
        let namespace = File::open("/proc/thread-self/ns/net")
            .context("could not open a network namespace")?
            .into();
        Ok(Side {
            namespace,
            netlink: Netlink::open().context("could not open a netlink socket")?,
        })
    }

    fn new() -> Result<Side> {
        unshare(UnshareFlags::NEWNET)?;
        Side::here()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_its_address_without_the_host_part() {
        assert_eq!(
            network_of(BLACK_HOLE_V4.into(), 24),
            IpAddr::from([10, 77, 9, 0])
        );
        assert_eq!(network_of(BLACK_HOLE_V6.into(), 64).to_string(), "fd77:9::");
    }
}
