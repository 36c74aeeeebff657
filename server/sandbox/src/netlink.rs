//! Just enough rtnetlink(7) to build the pod's networks: a socket stays with the network namespace
//! that it was opened in, so one process can arrange several namespaces.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, SocketType};

/// Index of `lo` in every network namespace.
pub(crate) const LOOPBACK: u32 = 1;

/// A connection to the kernel for one network namespace.
pub(crate) struct Netlink {
    socket: OwnedFd,
}

/// One end of a pair of virtual Ethernet devices.
pub(crate) struct VethEnd<'a> {
    pub name: &'a str,
    /// Chosen by the caller, so that nothing has to be looked up.
    pub index: u32,
    /// Network namespace to put it in.
    pub namespace: BorrowedFd<'a>,
}

impl Netlink {
    /// Opens one for the network namespace of this thread.
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC;
        let family = rustix::net::AddressFamily::NETLINK;
        // Protocol 0 of this family is NETLINK_ROUTE.
        let socket = rustix::net::socket_with(family, SocketType::RAW, flags, None)?;
        rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 0))?;
        Ok(Netlink { socket })
    }

    /// Makes two devices joined with each other.
    pub(crate) fn add_veth(&self, one: &VethEnd<'_>, other: &VethEnd<'_>) -> io::Result<()> {
        let mut message = veth_end(one);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(veth_end(other)))),
        ]));
        self.ask(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Switches a device on.
    pub(crate) fn set_up(&self, index: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        self.ask(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Gives a device an address.
    pub(crate) fn add_address(
        &self,
        index: u32,
        address: IpAddr,
        prefix_length: u8,
    ) -> io::Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = family(address);
        message.header.prefix_len = prefix_length;
        message.header.index = index;
        message.header.scope = AddressScope::Universe;
        // Nobody else can have it, and looking for duplicates takes a second (RFC 4862).
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes = vec![
            AddressAttribute::Local(address),
            AddressAttribute::Address(address),
        ];
        self.ask(
            RouteNetlinkMessage::NewAddress(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Sends a network's packets to a neighbour.
    pub(crate) fn add_route(
        &self,
        network: IpAddr,
        prefix_length: u8,
        gateway: IpAddr,
    ) -> io::Result<()> {
        let mut message = route(network, prefix_length, RouteType::Unicast);
        message
            .attributes
            .push(RouteAttribute::Gateway(RouteAddress::from(gateway)));
        self.ask(
            RouteNetlinkMessage::NewRoute(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Drops a network's packets in silence.
    pub(crate) fn add_black_hole(&self, network: IpAddr, prefix_length: u8) -> io::Result<()> {
        let mut message = route(network, prefix_length, RouteType::BlackHole);
        if network.is_ipv6() {
            // Without a device the kernel takes loopback for it, as `ip -6 route add blackhole`.
            message.attributes.push(RouteAttribute::Oif(LOOPBACK));
        }
        self.ask(
            RouteNetlinkMessage::NewRoute(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Sends a request and waits for the kernel's answer to it.
    fn ask(&self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        let mut message = NetlinkMessage::from(request);
        message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        rustix::net::send(&self.socket, &bytes, SendFlags::empty())?;
        let mut answer = vec![0; 8192];
        let (length, _) = rustix::net::recv(&self.socket, &mut answer[..], RecvFlags::empty())?;
        match NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer[..length])
            .map_err(io::Error::other)?
            .payload
        {
            NetlinkPayload::Error(error) if error.code.is_none() => Ok(()),
            NetlinkPayload::Error(error) => Err(error.to_io()),
            other => Err(io::Error::other(format!(
                "the kernel answered a netlink request with {other:?}"
            ))),
        }
    }
}

fn veth_end(end: &VethEnd<'_>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = end.index;
    message.attributes = vec![
        LinkAttribute::IfName(end.name.to_owned()),
        LinkAttribute::NetNsFd(end.namespace.as_raw_fd()),
    ];
    message
}

fn route(network: IpAddr, prefix_length: u8, kind: RouteType) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(network),
        destination_prefix_length: prefix_length,
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Static,
        scope: RouteScope::Universe,
        kind,
        ..RouteHeader::default()
    };
    message
        .attributes
        .push(RouteAttribute::Destination(RouteAddress::from(network)));
    message
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}
