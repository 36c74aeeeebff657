//! The rule set: one table with a set of taken ports and two chains that redirect to the agent.
//!
//! As `nft` would print it:
//! ```text
//! table inet mirrord-N { flags owner
//!   set ports { type inet_service; }
//!   chain clients { type nat hook prerouting priority -99; RULE }
//!   chain loopback { type nat hook output priority -99; RULE }
//! }
//! ```
//! with RULE = `meta mark != MARK meta l4proto tcp tcp flags & (fin|syn|rst|ack) == syn
//! tcp dport @ports fib daddr type local redirect to :PORT`.

use super::message::{Attributes, Batch, CREATE};

const NFT_MSG_NEWTABLE: u16 = 0;
const NFT_MSG_DELTABLE: u16 = 2;
const NFT_MSG_NEWCHAIN: u16 = 3;
const NFT_MSG_NEWRULE: u16 = 6;
const NFT_MSG_NEWSET: u16 = 9;
const NFT_MSG_NEWSETELEM: u16 = 12;
const NFT_MSG_DELSETELEM: u16 = 14;

/// `NFT_TABLE_F_OWNER` (kernel 5.12): the table goes when the netlink socket closes that made it.
pub(super) const OWNED: u32 = 2;

/// Just after the usual place of destination NAT (-100): where a service mesh redirects, it goes
/// first, and what reaches the program through its proxy is what gets taken.
const PRIORITY: i32 = -99;
const PORTS: &str = "ports";
const REGISTER: u32 = 1;

/// A batch that makes the table.
pub(super) fn create(table: &str, flags: u32, redirect_to: u16, passed_on_mark: u32) -> Batch {
    const HOOK_PREROUTING: u32 = 0;
    const HOOK_OUTPUT: u32 = 3;
    let mut batch = Batch::new();
    batch.add(NFT_MSG_NEWTABLE, CREATE, |attributes| {
        attributes.text(1, table);
        attributes.number(2, flags);
    });
    batch.add(NFT_MSG_NEWSET, CREATE, |attributes| {
        const INET_SERVICE: u32 = 13;
        attributes.text(1, table);
        attributes.text(2, PORTS);
        attributes.number(3, 0); // flags
        attributes.number(4, INET_SERVICE); // key type, for `nft` to print
        attributes.number(5, 2); // key length
        attributes.number(10, 1); // id inside the batch
    });
    for (chain, hook) in [("clients", HOOK_PREROUTING), ("loopback", HOOK_OUTPUT)] {
        batch.add(NFT_MSG_NEWCHAIN, CREATE, |attributes| {
            attributes.text(1, table);
            attributes.text(3, chain);
            attributes.nested(4, |place| {
                place.number(1, hook);
                place.number(2, PRIORITY as u32);
            });
            attributes.text(7, "nat");
        });
        batch.add(NFT_MSG_NEWRULE, CREATE, |attributes| {
            attributes.text(1, table);
            attributes.text(2, chain);
            attributes.nested(4, |list| rule(list, redirect_to, passed_on_mark));
        });
    }
    batch
}

/// A batch that removes the table.
pub(super) fn remove(table: &str) -> Batch {
    let mut batch = Batch::new();
    batch.add(NFT_MSG_DELTABLE, 0, |attributes| attributes.text(1, table));
    batch
}

/// A batch that enters a port.
pub(super) fn take(table: &str, port: u16) -> Batch {
    port_element(NFT_MSG_NEWSETELEM, CREATE, table, port)
}

/// A batch that removes a port.
pub(super) fn give_back(table: &str, port: u16) -> Batch {
    port_element(NFT_MSG_DELSETELEM, 0, table, port)
}

fn port_element(message: u16, flags: u16, table: &str, port: u16) -> Batch {
    let mut batch = Batch::new();
    batch.add(message, flags, |attributes| {
        attributes.text(1, table);
        attributes.text(2, PORTS);
        attributes.nested(3, |elements| {
            elements.nested(1, |element| {
                element.nested(1, |key| key.bytes(1, &port.to_be_bytes()));
            });
        });
    });
    batch
}

fn rule(list: &mut Attributes, redirect_to: u16, passed_on_mark: u32) {
    const EQUAL: u32 = 0;
    const NOT_EQUAL: u32 = 1;
    const META_MARK: u32 = 3;
    const META_L4PROTO: u32 = 16;

    // What the agent passes on to the pod's own program.
    meta(list, META_MARK);
    compare(list, NOT_EQUAL, &passed_on_mark.to_ne_bytes());

    meta(list, META_L4PROTO);
    compare(list, EQUAL, &[libc::IPPROTO_TCP as u8]);

    // Only a connection's first packet. Connection tracking begins with the first nat chain of a
    // namespace, and it also takes packets from the middle of a connection for a new one
    // (nf_conntrack_tcp_loose): without this the pod's standing connections would be torn.
    const FIN_SYN_RST_ACK: u8 = 0x17;
    const SYN: u8 = 0x02;
    payload(list, 13, 1);
    expression(list, "bitwise", |data| {
        data.number(1, REGISTER);
        data.number(2, REGISTER);
        data.number(3, 1);
        data.nested(4, |mask| mask.bytes(1, &[FIN_SYN_RST_ACK]));
        data.nested(5, |xor| xor.bytes(1, &[0]));
    });
    compare(list, EQUAL, &[SYN]);

    payload(list, 2, 2);
    expression(list, "lookup", |data| {
        data.text(1, PORTS);
        data.number(2, REGISTER);
        data.number(4, 1); // the set's id inside the batch
    });

    // Calls of the pod to the same port of others, and what it forwards, are not ours.
    const RESULT_ADDRESS_TYPE: u32 = 3;
    const OF_DESTINATION: u32 = 2;
    const RTN_LOCAL: u32 = 2;
    expression(list, "fib", |data| {
        data.number(1, REGISTER);
        data.number(2, RESULT_ADDRESS_TYPE);
        data.number(3, OF_DESTINATION);
    });
    compare(list, EQUAL, &RTN_LOCAL.to_ne_bytes());

    const RANGE_PROTO_SPECIFIED: u32 = 2;
    expression(list, "immediate", |data| {
        data.number(1, REGISTER);
        data.nested(2, |value| value.bytes(1, &redirect_to.to_be_bytes()));
    });
    expression(list, "redir", |data| {
        data.number(1, REGISTER);
        data.number(3, RANGE_PROTO_SPECIFIED);
    });
}

fn expression(list: &mut Attributes, name: &str, fill: impl FnOnce(&mut Attributes)) {
    list.nested(1, |element| {
        element.text(1, name);
        element.nested(2, fill);
    });
}

fn meta(list: &mut Attributes, key: u32) {
    expression(list, "meta", |data| {
        data.number(1, REGISTER);
        data.number(2, key);
    });
}

fn payload(list: &mut Attributes, offset: u32, length: u32) {
    const TRANSPORT_HEADER: u32 = 2;
    expression(list, "payload", |data| {
        data.number(1, REGISTER);
        data.number(2, TRANSPORT_HEADER);
        data.number(3, offset);
        data.number(4, length);
    });
}

fn compare(list: &mut Attributes, operation: u32, with: &[u8]) {
    expression(list, "cmp", |data| {
        data.number(1, REGISTER);
        data.number(2, operation);
        data.nested(3, |value| value.bytes(1, with));
    });
}
